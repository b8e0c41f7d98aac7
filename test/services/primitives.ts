/**
 * What the contract suites share: how primitives are made, and entries in the format a backend wants.
 */
import { Effect, Option, type Scope } from "effect"
import * as CacheEntry from "../../src/CacheEntry.ts"
import type { CacheError } from "../../src/CacheError.ts"
import type { CacheBackend, Stored, Write } from "../../src/services/CacheBackend.ts"
import type { LockStore } from "../../src/services/LockManager.ts"
import type { TagIndex } from "../../src/services/TagIndex.ts"

export interface Primitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  readonly locks: LockStore
}

/** Makes primitives over an empty store (a new namespace, a new server, a new map) each time it is run. */
export type MakePrimitives = Effect.Effect<Primitives, CacheError, Scope.Scope>

export interface SuiteOptions {
  /** Lets the store's own time pass: `TestClock.adjust` in memory, a real sleep on a server. Called with 50 to 200 ms. */
  readonly advance: (millis: number) => Effect.Effect<void>
  /** Loses bookkeeping as an eviction would. Without it, the tests of lost bookkeeping are left out. */
  readonly evict?:
    | {
        readonly marker: (primitives: Primitives, tag: string) => Effect.Effect<void>
        readonly epoch: (primitives: Primitives) => Effect.Effect<void>
      }
    | undefined
}

export const header = (overrides?: Partial<CacheEntry.EntryHeader>): CacheEntry.EntryHeader => ({
  born: 1,
  createdAt: 0,
  freshUntil: Number.POSITIVE_INFINITY,
  loadMillis: 3,
  fingerprint: "suite",
  tags: [],
  ...overrides
})

/** An entry in the format of the backend. */
const stored = (
  backend: CacheBackend["Service"],
  value: unknown,
  overrides?: Partial<CacheEntry.EntryHeader>
): Stored =>
  backend.format === "bytes"
    ? CacheEntry.encode(header(overrides), value, backend.compressor)
    : { ...header(overrides), value }

/** A write of `value`, by default without an end. */
export const write = (
  backend: CacheBackend["Service"],
  value: unknown,
  ttlMillis: number = Number.POSITIVE_INFINITY,
  overrides?: Partial<CacheEntry.EntryHeader>
): Write => ({ stored: stored(backend, value, overrides), ttlMillis })

/** Stores an entry whoever holds the lease, and drops the lease. A defect when another writer comes between. */
export const plant = (backend: CacheBackend["Service"], key: string, write: Write): Effect.Effect<void, CacheError> =>
  backend.takeOver(key, "planted", 60_000, { unlink: false }).pipe(
    Effect.andThen(backend.fill(key, "planted", write, "keep")),
    Effect.flatMap((filled) => (filled ? Effect.void : Effect.die(new Error(`${JSON.stringify(key)} was not planted`))))
  )

/** Header and value of what a backend gave back; fails loudly when the bytes do not parse. */
export const opened = (
  backend: CacheBackend["Service"],
  found: Stored | undefined
): Option.Option<CacheEntry.CacheEntry> => {
  if (found === undefined) return Option.none()
  if (!(found instanceof Uint8Array)) return Option.some(found)
  const parsed = CacheEntry.decode(found, backend.compressor)
  if (parsed === undefined) throw new Error("the backend gave back bytes that are not an entry")
  const { json, ...rest } = parsed
  return Option.some({ ...rest, value: json })
}

/** Just the value, `undefined` for a miss. */
export const valueOf = (backend: CacheBackend["Service"], found: Stored | undefined): unknown =>
  Option.getOrUndefined(opened(backend, found))?.value

/** Strings an attacker would choose for keys and tags: separators, globs, braces, controls, escapes, lone surrogates. */
export const hostile: ReadonlyArray<string> = [
  "",
  " ",
  "a",
  "a:b",
  "a*",
  "*",
  "?",
  "[ab]",
  "[^a]",
  "a\\*",
  "\\",
  "{a}",
  "{",
  "}",
  "}:{",
  "e:{a}",
  "t:a",
  "epoch",
  "%",
  "%2A",
  "%25",
  "~",
  "\u0000",
  "\r\nDEL a\r\n",
  "\u001f",
  "\u007f",
  "\ud800",
  "\udc00",
  "\ufffd",
  "é",
  "e\u0301",
  "\u{1f600}",
  "__proto__",
  "constructor",
  "x".repeat(600),
  "x".repeat(601)
]
