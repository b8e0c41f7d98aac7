/**
 * What the contract cases share: entries in the format a backend wants, and strings that a careless store mixes up.
 */
import { Effect } from "effect"
import { type CacheEntry, decode, encode, type EntryHeader } from "../../CacheEntry.ts"
import type { CacheError } from "../../CacheError.ts"
import type { CacheBackend, Stored, Write } from "../../services/CacheBackend.ts"
import { Unmet } from "./expect.ts"

type Backend = CacheBackend["Service"]

/** The header of an entry. Exported for the tests of the backends, which write entries of their own. */
export const header = (overrides?: Partial<EntryHeader>): EntryHeader => ({
  born: 1,
  createdAt: 0,
  freshUntil: Number.POSITIVE_INFINITY,
  loadMillis: 3,
  fingerprint: "suite",
  tags: [],
  ...overrides
})

/** An entry in the format of the backend. */
const stored = (backend: Backend, value: unknown, overrides?: Partial<EntryHeader>): Stored =>
  backend.format === "bytes" ? encode(header(overrides), value, backend.compressor) : { ...header(overrides), value }

/** A write of `value`, by default without an end. */
export const write = (
  backend: Backend,
  value: unknown,
  ttlMillis: number = Number.POSITIVE_INFINITY,
  overrides?: Partial<EntryHeader>
): Write => ({ stored: stored(backend, value, overrides), ttlMillis })

/** Stores an entry whoever holds the lease, and drops the lease. A defect when another writer comes between. */
export const plant = (backend: Backend, key: string, write: Write): Effect.Effect<void, CacheError> =>
  backend.takeOver(key, "planted", 60_000, "refresh").pipe(
    Effect.andThen(backend.fill(key, "planted", write, "keep")),
    Effect.flatMap((filled) =>
      filled
        ? Effect.void
        : Effect.die(new Unmet(`the fill of ${JSON.stringify(key)} after a takeOver`, "true", "false"))
    )
  )

/** Header and value of what a backend gave back; `undefined` for a miss. Fails loudly when the bytes do not parse. */
export const opened = (backend: Backend, found: Stored | undefined): CacheEntry | undefined => {
  if (!(found instanceof Uint8Array)) return found
  const parsed = decode(found, backend.compressor)
  if (parsed === undefined) throw new Unmet("the bytes that the backend gave back", "an entry", "something else")
  const { json, ...rest } = parsed
  return { ...rest, value: json }
}

/** Just the value, `undefined` for a miss. */
export const valueOf = (backend: Backend, found: Stored | undefined): unknown => opened(backend, found)?.value

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
