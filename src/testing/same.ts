/**
 * Whether a value is what its schema gives back, for `CacheTest`.
 */
import { isDeepStrictEqual } from "node:util"
import { Equal } from "effect"

/** Pairs that are looked at for what is equal and not the same; a value of more is taken for the same from there on. */
const maxPairs = 100_000

const isEqual = (a: unknown, b: unknown): boolean => Equal.equals(a, b) || isDeepStrictEqual(a, b)

export const same = (value: unknown, decoded: unknown): boolean => isEqual(value, decoded) && isAlike(value, decoded)

/** Of what is equal: whether each part is an instance of what it was, and no `-0` has become `0`. Without a stack of its own depth. */
const isAlike = (value: unknown, decoded: unknown): boolean => {
  const pairs: Array<readonly [unknown, unknown]> = [[value, decoded]]
  const seen = new Set<unknown>()
  for (let i = 0; i < pairs.length; i++) {
    const [a, b] = pairs[i]!
    if (Object.is(a, b)) continue
    // As two numbers these are equal, and not the same.
    if (a === 0 && b === 0) return false
    if (!isObject(a) || !isObject(b) || seen.has(a)) continue
    seen.add(a)
    if (kindOf(a) !== kindOf(b)) return false
    for (const pair of partsOf(a, b)) {
      if (pairs.length >= maxPairs) break
      pairs.push(pair)
    }
  }
  return true
}

const isObject = (u: unknown): u is object => typeof u === "object" && u !== null

/**
 * Its prototype; of plain objects, with one or without and of whatever realm, one for all, and of bytes: Node gives a `Buffer` where
 * the schema says `Uint8Array`, which it is.
 */
const kindOf = (of: object): unknown => {
  if (ArrayBuffer.isView(of)) return ArrayBuffer
  const prototype: unknown = Object.getPrototypeOf(of)
  return prototype === null || Object.getPrototypeOf(prototype) === null ? Object.prototype : prototype
}

/** The parts that stand for each other: by name, and by place in what can be gone through, where they are equal there. */
function* partsOf(a: object, b: object): Iterable<readonly [unknown, unknown]> {
  if (ArrayBuffer.isView(a)) return
  if (Symbol.iterator in a && Symbol.iterator in b && !Array.isArray(a)) {
    const others = (b as Iterable<unknown>)[Symbol.iterator]()
    let turns = 0
    for (const one of a as Iterable<unknown>) {
      // One that does not end must not hold a test.
      if (++turns > maxPairs) break
      const other = others.next()
      if (other.done !== true && isEqual(one, other.value)) yield [one, other.value]
    }
  }
  for (const name of Object.keys(a)) {
    if (Object.hasOwn(b, name)) yield [Reflect.get(a, name), Reflect.get(b, name)]
  }
}
