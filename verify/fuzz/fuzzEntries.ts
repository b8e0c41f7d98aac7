/**
 * Stored bytes as an attacker, a bad disk or another program would leave them, through the whole read path.
 *
 * **What counts as wrong.** There is no checksum: bytes that are again an entry cannot be told from one that was written. So
 * a reading of the layout by another hand (`referenceEntry.ts`) says what the bytes are, and these are wrong: a hit where it
 * sees no entry, an entry of another schema, or one that its tags make stale; a value other than the one that the schema
 * decodes from its payload, or that is not of the schema; a header read differently; a miss for a sound entry that is not
 * compressed; bytes that stay in the way after a load; a prototype that was changed; a failure of any kind.
 */
import { isDeepStrictEqual } from "node:util"
import { Effect, Exit, Schema } from "effect"
import * as zlib from "node:zlib"
import { addTags, decode, encode, type Compressor, type EntryHeader } from "../../src/CacheEntry.ts"
import { cacheAside, type CacheServices } from "../../src/index.ts"
import { codecOf } from "../../src/schema/codec.ts"
import * as Layout from "../../src/entry/layout.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import { type ReferenceEntry, referenceOf } from "./referenceEntry.ts"
import type { FuzzReport } from "./report.ts"
import type { Dice } from "../../test/support/dice.ts"
import { around } from "../../test/support/entryBytes.ts"

/** A place that holds the bytes: in this process, or a real Redis. */
export interface EntryTarget {
  /** Puts bytes where the entries of these keys are. */
  readonly plant: (entries: ReadonlyArray<readonly [key: string, bytes: Uint8Array]>) => Effect.Effect<void>
  /** How many reads run at once. */
  readonly batch: number
}

/** The markers a target must hold. `"gone"` has none. */
export const markers: Readonly<Record<string, number>> = { ok: 10, other: 20, "%\ud800é": 30, stale: 5_000_000 }
const tagSets: ReadonlyArray<ReadonlyArray<string>> = [
  [],
  ["ok"],
  ["ok", "other"],
  ["ok", "%\ud800é"],
  ["ok", "stale"],
  ["ok", "gone"],
  ["other"]
]

interface Case {
  readonly schema: Schema.Codec<unknown, unknown>
  readonly tags: ReadonlyArray<string>
  readonly seeds: ReadonlyArray<unknown>
  readonly fallback: unknown
}

const Profile = Schema.Struct({
  id: Schema.Int,
  name: Schema.String,
  at: Schema.Date,
  nick: Schema.optionalKey(Schema.String),
  roles: Schema.ReadonlySet(Schema.String)
})
const profile = { id: 7, name: "Ada", at: new Date(86_400_000), roles: new Set(["admin", "é"]) }
const long = Array.from({ length: 60 }, (_, i) => `row ${i} of ${i % 7}`)

const cases: ReadonlyArray<Case> = [
  {
    schema: Profile as Case["schema"],
    tags: ["ok"],
    seeds: [profile, { ...profile, nick: "x".repeat(1500) }],
    fallback: { ...profile, id: -1 }
  },
  { schema: Schema.Unknown, tags: [], seeds: [{ a: [1, { b: null }] }, long, "text", 0, null], fallback: "loaded" },
  {
    schema: Schema.Record(Schema.String, Schema.Unknown) as Case["schema"],
    tags: [],
    seeds: [{ a: 1, b: { c: [true] } }, Object.fromEntries(long.map((text) => [text, text]))],
    fallback: { loaded: true }
  },
  { schema: Schema.String as Case["schema"], tags: [], seeds: ["", "größe 😀", "x".repeat(1500)], fallback: "loaded" },
  {
    schema: Schema.Array(Schema.Finite) as Case["schema"],
    tags: ["ok", "other"],
    seeds: [[], [1, 2.5, -3e9]],
    fallback: [42]
  },
  {
    schema: Schema.UndefinedOr(Schema.NullOr(Schema.Boolean)) as Case["schema"],
    tags: [],
    seeds: [undefined, null, true],
    fallback: false
  }
]

const compressors: ReadonlyArray<Compressor | undefined> = [
  undefined,
  undefined,
  nodeCompressor({ threshold: 1 }),
  nodeCompressor({ threshold: 1, prefer: "gzip" })
]

const headerOf = (dice: Dice, fingerprint: string, tags: ReadonlyArray<string>): EntryHeader => ({
  born: dice.pick([1_000_000, 1_000_000, 15, 0]),
  createdAt: 1_700_000_000_000,
  freshUntil: dice.pick([Infinity, 1_700_000_060_000]),
  loadMillis: 12.5,
  fingerprint,
  tags
})

/** Payloads that a parser or a careless copy would trip over. */
const nasty: ReadonlyArray<string> = [
  `{"__proto__":{"polluted":1}}`,
  `{"constructor":{"prototype":{"polluted":1}}}`,
  `{"id":7,"name":"x","at":"1970-01-01T00:00:00.000Z","roles":[],"__proto__":{"polluted":1}}`,
  `[{"__proto__":null}]`,
  `{"toString":1,"valueOf":null,"then":{}}`,
  `{"id":1e999}`,
  `"\\ud800"`,
  `-0`,
  `[${"1,".repeat(500)}1]`,
  `${"[".repeat(500)}${"]".repeat(500)}`,
  `${'{"a":'.repeat(500)}1${"}".repeat(500)}`,
  `nul`,
  ``
]

const pack = (compressor: number, payload: Buffer): Buffer =>
  compressor === 0 ? payload : compressor === 1 ? zlib.gzipSync(payload) : zlib.zstdCompressSync(payload)

const bomb = `"${"x".repeat(8 * 1024 * 1024)}"`
const packedBombs = [1, 2].map((id) => [id, pack(id, Buffer.from(bomb))] as const)

const edges = [0, 1, 2, 0x25, 0x7f, 0x80, 0xd8, 0xec, 0xff]

const mutate = (dice: Dice, from: Uint8Array, other: Uint8Array): Uint8Array => {
  const bytes = Uint8Array.from(from)
  for (let n = dice.below(4); n > 0; n--) {
    // Mostly in the header, where the structure is.
    const at = dice.below(dice.chance(0.7) ? Math.min(bytes.length, 90) : bytes.length)
    if (dice.chance(0.3)) bytes[at] = dice.pick(edges)
    else if (dice.chance(0.6)) bytes[at]! ^= 1 << dice.below(8)
    else bytes[at] = dice.below(256)
  }
  switch (dice.below(12)) {
    case 0:
      return bytes.subarray(0, dice.below(bytes.length + 1))
    case 1:
      return Buffer.concat([bytes, other.subarray(0, dice.below(20))])
    case 2: {
      const at = dice.below(bytes.length)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(Math.min(at, other.length))])
    }
    case 3: {
      // A length or a count: the last number of the head, or one of the tag section.
      const at = dice.below(Math.max(1, Math.min(bytes.length - 4, 80)))
      new DataView(bytes.buffer).setUint32(at, dice.pick([0, 1, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, bytes.length]))
      return bytes
    }
    case 4: {
      const born = dice.pick([0, 9, 10, 20, 4_999_999, 5_000_000, 2 ** 53 - 1, 2 ** 53, 2 ** 55])
      if (bytes.length > 12) {
        const view = new DataView(bytes.buffer)
        view.setUint32(Layout.BORN_OFFSET + 3, born >>> 0)
        view.setUint16(Layout.BORN_OFFSET + 1, Math.floor(born / 2 ** 32))
        view.setUint8(Layout.BORN_OFFSET, Math.floor(born / 2 ** 48))
      }
      return bytes
    }
    default:
      return bytes
  }
}

/** Sound entries of a case, made beforehand: compressing them is most of the work. */
const poolOf = (dice: Dice, one: Case): ReadonlyArray<Uint8Array> => {
  const codec = codecOf(one.schema)
  return Array.from({ length: 400 }, () => {
    const json = codec.encode(dice.pick(one.seeds))
    if (!Exit.isExit(json) || Exit.isFailure(json)) throw new Error("a seed that does not encode")
    const tags = dice.chance(0.5) ? one.tags : dice.pick(tagSets)
    return encode(headerOf(dice, codec.fingerprint, tags), json.value, dice.pick(compressors))
  })
}

const packedNasty = nasty.flatMap((text) =>
  [0, 1, 2].map((id) => {
    const payload = Buffer.from(text)
    return { id, length: payload.length, packed: pack(id, payload) }
  })
)

const inputOf = (dice: Dice, one: Case, pool: ReadonlyArray<Uint8Array>): Uint8Array => {
  const roll = dice.below(10_000)
  if (roll < 200) return Uint8Array.from({ length: dice.below(200) }, () => dice.below(256))
  const { fingerprint } = codecOf(one.schema)
  if (roll < 1200) {
    const { id, length, packed } = dice.pick(packedNasty)
    const claimed = dice.chance(0.9) ? length : dice.below(0xffffffff)
    return around(headerOf(dice, fingerprint, one.tags), packed, id, claimed)
  }
  if (roll === 1200 && dice.chance(0.2)) {
    const [id, packed] = dice.pick(packedBombs)
    const claimed = dice.pick([bomb.length, bomb.length - 1, 10, Layout.MAX_PAYLOAD_BYTES, 0xffffffff])
    return around(headerOf(dice, fingerprint, one.tags), packed, id, claimed)
  }
  return mutate(dice, dice.pick(pool), dice.pick(pool))
}

const isValid = ({ born, tags }: ReferenceEntry): boolean =>
  tags.every((tag) => Object.hasOwn(markers, tag) && markers[tag]! <= born)

/** What a read must give: a value, or nothing. `loose`: it may also give nothing. */
type Expected = { readonly value: unknown; readonly loose: boolean } | undefined

const expectedOf = (one: Case, reference: ReferenceEntry | undefined): Expected => {
  const codec = codecOf(one.schema)
  if (reference === undefined || reference.fingerprint !== codec.fingerprint || !isValid(reference)) return undefined
  if (!one.tags.every((tag) => reference.tags.includes(tag))) return undefined
  const decoded = codec.decode(reference.json)
  if (!Exit.isExit(decoded) || Exit.isFailure(decoded)) return undefined
  return { value: decoded.value, loose: reference.compressed }
}

/** Objects of JSON have the prototype of all objects, whatever their keys say. */
const hasPlainPrototypes = (root: unknown): boolean => {
  const pending = [root]
  for (let n = 0; pending.length > 0 && n < 1000; n++) {
    const value = pending.pop()
    if (typeof value !== "object" || value === null || value instanceof Date || value instanceof Set) continue
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== Array.prototype) return false
    pending.push(...Object.values(value))
  }
  return true
}

const sameHeader = (bytes: Uint8Array, reference: ReferenceEntry | undefined): boolean => {
  const found = decode(bytes, nodeCompressor({ threshold: 1 }))
  if (found === undefined || reference === undefined) {
    return found === undefined && (reference === undefined || reference.compressed)
  }
  const { json: _, ...header } = found
  const { compressed, json, ...expected } = reference
  return isDeepStrictEqual(header, expected)
}

/** Tags that are added stay readable, and nothing else changes. */
const addsTags = (bytes: Uint8Array, reference: ReferenceEntry | undefined): boolean => {
  const more = addTags(bytes, ["added"])
  if (reference === undefined) return true
  const after = referenceOf(more)
  return (
    after !== undefined && isDeepStrictEqual(after, { ...reference, tags: [...new Set([...reference.tags, "added"])] })
  )
}

/** Runs so many inputs. */
export const fuzzEntries = (
  target: EntryTarget,
  dice: Dice,
  inputs: number
): Effect.Effect<FuzzReport, never, CacheServices> =>
  Effect.gen(function*() {
    const wrong: Array<string> = []
    const outcomes = { hit: 0, miss: 0, stale: 0, "no entry": 0 }
    let slowestMillis = 0
    const loaded = new Set<string>()
    const pools = cases.map((one) => poolOf(dice, one))
    const readers = cases.map(({ fallback, schema, tags }, i) =>
      cacheAside({ key: `fuzz${i}:{id}`, schema, ttl: "1 minute", tags })(({ id }: { readonly id: string }) =>
        Effect.sync(() => {
          loaded.add(`${i}:${id}`)
          return fallback
        })
      )
    )
    for (let done = 0; done < inputs; done += target.batch) {
      const count = Math.min(target.batch, inputs - done)
      const batch = Array.from({ length: count }, (_, n) => {
        const which = dice.below(cases.length)
        // Few keys, so that what the client remembers of their tags belongs to other bytes than those it finds.
        return { which, id: String(n), bytes: inputOf(dice, cases[which]!, pools[which]!) }
      })
      yield* target.plant(batch.map(({ bytes, id, which }) => [`fuzz${which}:${id}`, bytes]))
      loaded.clear()
      const startedAt = performance.now()
      const exits = yield* Effect.forEach(batch, ({ id, which }) => Effect.exit(readers[which]!({ id })), {
        concurrency: "unbounded"
      })
      slowestMillis = Math.max(slowestMillis, performance.now() - startedAt)
      const missed: Array<(typeof batch)[number]> = []
      for (const [n, input] of batch.entries()) {
        const { bytes, id, which } = input
        const exit = exits[n]!
        const one = cases[which]!
        const complain = (what: string) =>
          wrong.push(`${what}: region ${which}, ${Buffer.from(bytes).toString("base64")}`)
        if (Exit.isFailure(exit)) {
          complain(`failed with ${String(exit.cause)}`)
          continue
        }
        const reference = referenceOf(bytes)
        const expected = expectedOf(one, reference)
        const hit = !loaded.has(`${which}:${id}`)
        if (hit) {
          if (expected === undefined) complain("a hit that is none")
          else if (!isDeepStrictEqual(exit.value, expected.value)) complain("another value")
          if (!Schema.is(one.schema)(exit.value)) complain("a value that its schema does not allow")
          if (!hasPlainPrototypes(exit.value)) complain("a value with a foreign prototype")
        } else {
          missed.push(input)
          if (expected !== undefined && !expected.loose) complain("a miss of a sound entry")
          if (!isDeepStrictEqual(exit.value, one.fallback)) complain("a loaded value that was changed")
        }
        if (!sameHeader(bytes, reference)) complain("a header read differently")
        if (n % 8 === 0 && !addsTags(bytes, reference)) complain("tags added wrongly")
        outcomes[hit ? "hit" : reference === undefined ? "no entry" : isValid(reference) ? "miss" : "stale"]++
      }
      if (Object.hasOwn(Object.prototype, "polluted")) wrong.push("Object.prototype was changed")
      // What was bad has been replaced by what was loaded.
      if (done % (target.batch * 8) === 0) {
        loaded.clear()
        yield* Effect.forEach(missed, ({ id, which }) => Effect.exit(readers[which]!({ id })), {
          concurrency: "unbounded"
        })
        for (const key of loaded) wrong.push(`not replaced: ${key}`)
      }
    }
    return { inputs, outcomes, wrong, slowestMillis }
  })
