/**
 * What a lease says: the token of the load that holds it, or which writes work under it.
 *
 * One write alone is told by its token, which begins with `w:`. Anything that comes between makes it void, for good: an
 * invalidation, a `set`, another write, the end of one of several. Then its text is `v:<changes>:<token>,<token>`, a new one each
 * time, so an equal text means that nothing came between. What is void accepts no fill, and ends with the last of its writes.
 */

const alone = "w:"
const several = "v:"
/**
 * Stands behind the number of changes where writes came that are not listed. Then nobody knows who is the last, and those that are
 * listed stay: with none of them left the text could be that of a later lease.
 */
export const andMore = "+"

/** So many writes of one key at a time are listed. */
export const maxListed = 128

/** Marks a token as that of a write. One of release 0.1.0 counts as a load's. */
export const asWriteToken = (token: string): string => alone + token

/** Whether writes work under a lease that says this; of a token, whether it is a write's. */
export const isWrite = (text: string): boolean => text.startsWith(alone) || text.startsWith(several)

interface Writes {
  readonly changes: number
  readonly more: boolean
  readonly tokens: ReadonlyArray<string>
}

const parse = (text: string): Writes => {
  if (text.startsWith(alone)) return { changes: 0, more: false, tokens: [text] }
  const end = text.indexOf(":", several.length)
  const number = text.slice(several.length, end)
  const list = text.slice(end + 1)
  return {
    changes: Number.parseInt(number, 10),
    more: number.endsWith(andMore),
    tokens: list === "" ? [] : list.split(",")
  }
}

/** The text of a lease that is void. */
export const voidText = (changes: number, tokens: ReadonlyArray<string>, more: boolean): string =>
  `${several}${changes}${more ? andMore : ""}:${tokens.join(",")}`

/** The tokens of the writes under a lease, as far as it lists them. */
export const writersOf = (text: string): ReadonlyArray<string> => (isWrite(text) ? parse(text).tokens : [])

/** Whether a write may work under a lease that says this: it is listed, or there are some that are not. */
export const worksUnder = (text: string, token: string): boolean => {
  if (!isWrite(text) || !isWrite(token)) return false
  const { more, tokens } = parse(text)
  return more || tokens.includes(token)
}

/** The lease of writes that another one has joined. Who is listed already has joined before. */
export const joined = (text: string, token: string): string => {
  const { changes, more, tokens } = parse(text)
  if (tokens.includes(token)) return text
  const all = more || tokens.length >= maxListed
  return voidText(changes + 1, all ? tokens : [...tokens, token], all)
}

/** The lease of writes between which something came. */
export const voided = (text: string): string => {
  const { changes, more, tokens } = parse(text)
  return voidText(changes + 1, tokens, more)
}

/** The same when a write has ended: void, without its token; `undefined` if it was the last. */
export const left = (text: string, token: string): string | undefined => {
  const { changes, more, tokens } = parse(text)
  if (more) return voided(text)
  const rest = tokens.filter((other) => other !== token)
  return rest.length === 0 ? undefined : voidText(changes + 1, rest, more)
}
