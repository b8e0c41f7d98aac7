import { resolveUnsafe } from "../region/region.ts"
import { makePattern, type Pattern } from "./cached.ts"

/**
 * Cache-aside: look in the cache; on a miss load, store, return. For read-heavy data that changes rarely.
 *
 * Callers of one key in this process share one load, in the context of one of them (`Cached`). When another process is loading the key already, this one loads too,
 * without storing; use `stampedeProtect` where the load is too expensive for that.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory } from "effect-cache"
 *
 * let loads = 0
 * const getItem = cacheAside({ key: "items:{0}:{1}", schema: Schema.String, ttl: "1 minute" })(
 *   (category: string, page: number) => Effect.sync(() => `${category} ${page}, load ${++loads}`)
 * )
 * const program = Effect.gen(function*() {
 *   yield* getItem("books", 1)
 *   const again = yield* getItem("books", 1)
 *   yield* getItem.invalidate("books", 1)
 *   return [again, yield* getItem("books", 1)]
 * })
 * assert.deepEqual(
 *   await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))),
 *   ["books 1, load 1", "books 1, load 2"]
 * )
 * ```
 */
export const cacheAside: Pattern<unknown> = makePattern((options) => {
  const region = resolveUnsafe(options)
  return (load) => ({ region, load, leaseMillis: undefined, wait: undefined, memory: false })
})
