import type { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AList, Strings } from "../internal/strings.ts"
import { CacheClient } from "../services/CacheClient.ts"

/**
 * Removes one key, and stops loads of it in flight from storing what they are about to compute. When it has succeeded, no
 * later read returns a value loaded before.
 *
 * A failure is a `CacheError`: the invalidation may not be in force. With `CacheFallback` it is made up for before the
 * cache is trusted again.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { CacheClient, CacheMemory, invalidateKey } from "effect-cache"
 *
 * const program = Effect.gen(function*() {
 *   const cache = yield* CacheClient
 *   yield* cache.set("user:123", "Ada", { schema: Schema.String, ttl: "5 minutes" })
 *   yield* invalidateKey("user:123")
 *   return yield* cache.get("user:123", Schema.String)
 * })
 * assert.ok(Option.isNone(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))))
 * ```
 */
export const invalidateKey = (key: string): Effect.Effect<void, CacheError, CacheClient> =>
  CacheClient.use((client) => client.invalidateKeys([key]))

/** Removes several keys, as `invalidateKey` does one. It is not atomic over the keys. */
export const invalidateKeys = (keys: Strings | AList): Effect.Effect<void, CacheError, CacheClient> =>
  CacheClient.use((client) => client.invalidateKeys(keys))

/**
 * Removes every key that matches, as `invalidateKey` does one. `*` stands for any characters, also none and also `:`;
 * everything else is literal. Put user input in with `buildCachePattern`.
 *
 * It scans the whole store twice, in small steps that do not block it: its cost grows with the store. Where it is frequent,
 * use tags.
 */
export const invalidatePattern = (pattern: string): Effect.Effect<void, CacheError, CacheClient> =>
  CacheClient.use((client) => client.invalidatePattern(pattern))
