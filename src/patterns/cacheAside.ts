import { resolveUnsafe } from "../region/region.ts"
import { makePattern, type Pattern } from "./cached.ts"

/**
 * Cache-aside: look in the cache; on a miss load, store, return. For read-heavy data that changes rarely.
 *
 * Callers of one key in this process share one load, in the context of one of them (`Cached`). When another process is loading the key already, this one loads too,
 * without storing; use `stampedeProtect` where the load is too expensive for that.
 *
 * What the function takes must be in the key, or two calls that differ in it share one value: a parameter that is neither there nor in
 * `ignore` does not compile.
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
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside, CacheMemory, CacheRegion } from "effect-cache"
 *
 * const Names = CacheRegion.make({ key: "name:{id}", schema: Schema.String, ttl: "5 minutes" })
 * const getName = cacheAside(Names, { ignore: ["requestId"] })(
 *   ({ id, requestId }: { readonly id: string; readonly requestId: string }) => Effect.succeed(`${id}, asked by ${requestId}`)
 * )
 * const program = Effect.andThen(getName({ id: "1", requestId: "a" }), getName({ id: "1", requestId: "b" }))
 * assert.equal(await Effect.runPromise(program.pipe(Effect.provide(CacheMemory.layer()))), "1, asked by a")
 * ```
 */
export const cacheAside: Pattern = makePattern({}, (options) => {
  const region = resolveUnsafe(options)
  return (load) => ({ region, load, leaseMillis: undefined, wait: undefined, memory: false })
}) as Pattern
