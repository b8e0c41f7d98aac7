/** Digests of states: 52 bits, so that two different ones among millions do not meet. */

const scramble = (h: number, value: number): number => {
  let x = Math.imul(h ^ value, 0x85ebca6b)
  x ^= x >>> 13
  x = Math.imul(x, 0xc2b2ae35)
  return x ^ (x >>> 16)
}

const low = 2 ** 26

/** Takes a number into a digest. The order counts. */
export const fold = (digest: number, value: number): number => {
  const a = digest % low
  const b = Math.floor(digest / low)
  const v = (value | 0) + Math.imul(Math.floor(value / 2 ** 32), 0x9e3779b1)
  const x = scramble(Math.imul(a, 0x01000193) + b + 1, v)
  const y = scramble(Math.imul(b, 0x27d4eb2f) + a + 7, v ^ 0x5bd1e995)
  return (x >>> 6) * low + (y >>> 6)
}

const texts = new Map<string, number>()

/** The digest of a text. */
export const foldText = (digest: number, text: string): number => {
  let number = texts.get(text)
  if (number === undefined) {
    number = 0x811c9dc5
    for (let i = 0; i < text.length; i++) number = Math.imul(number ^ text.charCodeAt(i), 0x01000193)
    texts.set(text, number)
  }
  return fold(digest, number)
}
