import type { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { AList, Strings } from "../internal/strings.ts"
import { CacheClient } from "../services/CacheClient.ts"

/**
 * Adds tags to the entry of a key, which keeps its value and remaining TTL. `false`: there is no valid entry to tag.
 *
 * A tag that was invalidated since the entry's load makes the entry stale at once. So may a tag that nothing bears yet, if
 * any tag was invalidated since: its marker starts at the epoch of now. That costs a miss. Where the tags follow from the value,
 * give them to the region instead: then entry and tags are written together.
 *
 * @example
 * ```ts
 * import { Effect, Option, Schema } from "effect"
 * import { CacheClient, CacheMemory, invalidateTags, tagCacheKey } from "effect-cache"
 *
 * const program = Effect.gen(function*() {
 *   const cache = yield* CacheClient
 *   yield* cache.set("user:9", "Ada", { schema: Schema.String, ttl: "5 minutes" })
 *   yield* tagCacheKey("user:9", ["user", "tenant:7"])
 *   yield* invalidateTags(["tenant:7"])
 *   return yield* cache.get("user:9", Schema.String)
 * })
 * assert.ok(Option.isNone(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer())))))
 * ```
 */
export const tagCacheKey = (key: string, tags: Strings | AList): Effect.Effect<boolean, CacheError, CacheClient> =>
  CacheClient.use((client) => client.tag(key, tags))

/**
 * Makes every entry that bears one of the tags invalid, and every load in flight whose value will bear one. Its cost does
 * not depend on how many entries there are.
 */
export const invalidateTags = (tags: Strings | AList): Effect.Effect<void, CacheError, CacheClient> =>
  CacheClient.use((client) => client.invalidateTags(tags))
