/**
 * A copy of a value without a schema: a structured clone, of what it gives back as it was. Of anything else there is none: a
 * structured clone makes another value of an instance of a class (`Option.none()` becomes an object that passes for a `Some`),
 * leaves out symbols and what is not enumerable, and runs getters.
 *
 * As they were come primitives, plain objects, arrays, `Map`, `Set`, `Date`, `RegExp`, errors of the language, `ArrayBuffer`,
 * typed arrays and `DataView`, of nothing but these, also in a circle. What differs afterwards is that a copy of something
 * frozen is not frozen.
 *
 * The walk that finds out is bounded, because it holds the loop, and so does the clone: beyond that there is no copy either. Only
 * what is in a `Map` or `Set` that passes for a plain object is not counted (`cloneOf`).
 */

/** Why there is no copy. The message says what stands in the way, and quotes nothing of the value. */
export class NotCopied extends Error {
  override readonly name = "NotCopied"
}

/** Values looked at, names of properties and empty places of arrays among them: some 10 milliseconds. */
const valuesMax = 50_000
/** Characters and bytes, which are copied much faster. */
const sizeMax = 8 * 1024 * 1024
/** A structured clone goes down by recursion, and has no room for much more than twice as deep. */
const depthMax = 500
/**
 * A list of the names on a typed array is a list of its elements too: a millisecond for so many. Typed arrays that have more, all
 * of a value together, count as having no other.
 */
const namesMax = 8_192

/** The copy, which shares nothing with the value. Throws `NotCopied`. */
export const copyOf = (value: unknown): unknown => {
  try {
    const walk = new Walk()
    walk.start(value)
    return cloneOf(value, walk.plains)
  } catch (cause) {
    if (cause instanceof NotCopied) throw cause
    // A proxy, an object that only claims its prototype, a value that is too deep.
    throw new NotCopied("a value that structuredClone does not take", { cause })
  }
}

/**
 * The clone. A `Map` whose prototype was changed passes for a plain object, and to ask each object whether it is one takes longer
 * than to clone it. But its clone is a `Map` again, with the prototype of one. So what passes for a plain object is cloned as a
 * list, too: behind the value that is a reference for each. What such a `Map` holds was not looked at before.
 */
const cloneOf = (value: unknown, plains: ReadonlyArray<object>): unknown => {
  // A value that is one object, or has none, is cheaper without the list.
  if (plains.length === 0) return structuredClone(value)
  if (plains.length === 1 && plains[0] === value) return plainly(structuredClone(value))
  const [copy, copies] = structuredClone([value, plains] as const)
  copies.forEach(plainly)
  return copy
}

/** What the clone of a plain object has: in a context of its own, as test runners make, not the `Object.prototype` of there. */
let plainPrototype: unknown

const plainly = (copy: unknown): unknown => {
  plainPrototype ??= Object.getPrototypeOf(structuredClone({}))
  if (Object.getPrototypeOf(copy) === plainPrototype) return copy
  throw new NotCopied("an object with the prototype of another kind")
}

type Look = (walk: Walk, value: object) => void

const tagOf = (value: object): string => Object.prototype.toString.call(value)
const getter = (of: object, name: PropertyKey) => Object.getOwnPropertyDescriptor(of, name)!.get!

// Of the language itself: they throw for an object of another kind, and what a value says of itself is not asked.
const sizeOfMap = getter(Map.prototype, "size")
const sizeOfSet = getter(Set.prototype, "size")
const sizeOfBuffer = getter(ArrayBuffer.prototype, "byteLength")
const typedArray: object = Object.getPrototypeOf(Uint8Array.prototype)
const nameOfArray = getter(typedArray, Symbol.toStringTag)
const lengthOfArray = getter(typedArray, "length")
const bufferOfArray = getter(typedArray, "buffer")
const bufferOfView = getter(DataView.prototype, "buffer")

/** Up to twice its bytes, without a text of it. */
const sizeOfBigInt = (value: bigint): number => {
  let bits = 64
  while (bits <= 8 * sizeMax && BigInt.asIntN(bits, value) !== value) bits *= 2
  return bits / 8
}

class Walk {
  private values = valuesMax
  private size = sizeMax
  private names = namesMax
  private readonly seen = new Set<object>()
  private readonly pending: Array<object> = []
  private readonly depths: Array<number> = []
  private depth = 0
  /** What passes for a plain object. */
  readonly plains: Array<object> = []

  start(value: unknown): void {
    this.add(value)
    for (;;) {
      const next = this.pending.pop()
      if (next === undefined) return
      this.depth = this.depths.pop()!
      if (this.depth > depthMax) throw new NotCopied(`a value nested deeper than ${depthMax}`)
      this.object(next)
    }
  }

  add(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.room(value.length)
      case "bigint":
        return this.room(sizeOfBigInt(value))
      case "function":
        throw new NotCopied("a function")
      case "symbol":
        throw new NotCopied("a symbol")
      case "object":
        if (value === null || this.seen.has(value)) return
        this.seen.add(value)
        this.pending.push(value)
        this.depths.push(this.depth + 1)
    }
  }

  count(values: number): void {
    this.values -= values
    if (this.values < 0) throw new NotCopied(`more than ${valuesMax} values`)
  }

  room(size: number): void {
    this.size -= size
    if (this.size < 0) throw new NotCopied(`more than ${sizeMax} characters and bytes`)
  }

  /** Whether so many names more may be listed. */
  lists(names: number): boolean {
    if (names > this.names) return false
    this.names -= names
    return true
  }

  private object(value: object): void {
    this.count(1)
    const prototype = Object.getPrototypeOf(value)
    const look = Array.isArray(value) && prototype !== Array.prototype ? undefined : looks.get(prototype)
    if (look !== undefined) return look(this, value)
    if (prototype === null) throw new NotCopied("an object without a prototype")
    const name: unknown = prototype.constructor?.name
    throw new NotCopied(
      typeof name === "string" && name !== "" && name !== "Object"
        ? `an instance of ${name}`
        : "an object with a prototype of its own"
    )
  }
}

const data = (value: object, key: PropertyKey, enumerable: boolean): unknown => {
  const property = Object.getOwnPropertyDescriptor(value, key)
  if (property === undefined || !("value" in property)) throw new NotCopied("a property with a getter or a setter")
  if (property.enumerable !== enumerable) throw new NotCopied("a property that is not enumerable")
  return property.value
}

/** Everything on it is a property that can be seen. `length`: of an array, whose empty places take time too. */
const members = (walk: Walk, value: object, length?: number): void => {
  const keys = Reflect.ownKeys(value)
  walk.count(Math.max(keys.length, length ?? 0))
  for (const key of keys) {
    if (typeof key === "symbol") throw new NotCopied("a property that a symbol names")
    if (length === undefined) walk.room(key.length)
    else if (key === "length") continue
    walk.add(data(value, key, true))
  }
}

const plain: Look = (walk, value) => {
  members(walk, value)
  walk.plains.push(value)
}

const array: Look = (walk, value) => {
  const { length } = value as ReadonlyArray<unknown>
  if (length > valuesMax) throw new NotCopied(`more than ${valuesMax} values`)
  members(walk, value, length)
}

/** Nothing was put on it: it would be left out. */
const bare = (value: object, names: ReadonlyArray<PropertyKey> = []): void => {
  if (Reflect.ownKeys(value).some((key) => !names.includes(key))) {
    throw new NotCopied("a property on an object that is not plain")
  }
}

const branded =
  (tag: string, look: Look): Look =>
  (walk, value) => {
    if (tagOf(value) !== tag) throw new NotCopied("an object with the prototype of another kind")
    look(walk, value)
  }

const regExp: Look = (walk, value) => {
  bare(value, ["lastIndex"])
  // A copy starts anew.
  if (data(value, "lastIndex", false) !== 0) throw new NotCopied("a RegExp that has been used")
  walk.room((value as RegExp).source.length)
}

const error: Look = (walk, value) => {
  bare(value, ["stack", "message", "cause"])
  const { stack } = value as Error
  if (typeof stack !== "string") throw new NotCopied("an error without a stack")
  walk.room(stack.length)
  for (const key of ["message", "cause"]) {
    if (!Object.hasOwn(value, key)) continue
    const part = data(value, key, false)
    if (key === "message" && typeof part !== "string") throw new NotCopied("an error whose message is no text")
    walk.add(part)
  }
}

const map: Look = (walk, value) => {
  walk.count(2 * (sizeOfMap.call(value) as number))
  bare(value)
  Map.prototype.forEach.call(value, (item, key) => {
    walk.add(key)
    walk.add(item)
  })
}

const set: Look = (walk, value) => {
  walk.count(sizeOfSet.call(value) as number)
  bare(value)
  Set.prototype.forEach.call(value, (item) => walk.add(item))
}

const buffer: Look = (walk, value) => {
  walk.room(sizeOfBuffer.call(value) as number)
  bare(value)
}

/** Its whole buffer is copied with it. One that several threads share is not copied, and is no plain buffer. */
const elements =
  (name: string): Look =>
  (walk, value) => {
    if (nameOfArray.call(value) !== name) throw new NotCopied("an object with the prototype of another kind")
    const length = lengthOfArray.call(value) as number
    const names = Object.getOwnPropertySymbols(value).length
    if (names > 0 || (walk.lists(length) && Reflect.ownKeys(value).length > length)) {
      throw new NotCopied("a property on an object that is not plain")
    }
    walk.add(bufferOfArray.call(value))
  }

const view: Look = (walk, value) => {
  bare(value)
  walk.add(bufferOfView.call(value))
}

const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]
const arrays = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array
]

/** By prototype. */
const looks = new Map<unknown, Look>([
  [Object.prototype, plain],
  [Array.prototype, branded("[object Array]", array)],
  [Date.prototype, branded("[object Date]", (_, value) => bare(value))],
  [RegExp.prototype, branded("[object RegExp]", regExp)],
  [Map.prototype, map],
  [Set.prototype, set],
  [ArrayBuffer.prototype, buffer],
  [DataView.prototype, view],
  ...errors.map(({ prototype }) => [prototype, branded("[object Error]", error)] as const),
  ...arrays.map(({ name, prototype }) => [prototype, elements(name)] as const)
])
