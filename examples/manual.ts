/**
 * Without a pattern: the client itself, keys by hand, the four kinds of invalidation, and statistics.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Option, Schema } from "effect"
import {
  buildCacheKey,
  buildCachePattern,
  CacheClient,
  getCacheStats,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  tagCacheKey
} from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

let operations = 0
const expensiveOperation = Effect.sync(() => `result ${++operations}`)

// Get, else compute and set. A cached empty string, zero or null is a hit: only `None` is a miss. Between the two calls
// an invalidation may come, which this `set` would overlook; `cacheAside` is the same without that gap.
const data = Effect.gen(function*() {
  const cache = yield* CacheClient
  const cached = yield* cache.get("my_key", Schema.String)
  if (Option.isSome(cached)) return cached.value
  const result = yield* expensiveOperation
  yield* cache.set("my_key", result, { schema: Schema.String, ttl: "5 minutes" })
  return result
})

const keys = Effect.gen(function*() {
  assert.equal(buildCacheKey("user:{userId}", { params: { userId: "123" } }), "user:123")
  assert.equal(buildCacheKey("items:{0}:{1}", { args: ["category", "page1"] }), "items:category:page1")
  assert.equal(buildCacheKey("user:{id}", { params: { id: "123" }, prefix: "v2:" }), "v2:user:123")
  // What a user typed cannot reach into another key: separators and wildcards in it are encoded.
  const hostile = buildCacheKey("user:{id}:name", { params: { id: "1:*" } })
  assert.notEqual(hostile, "user:1:*:name")
  yield* Console.log(`keys:      user:123, items:category:page1, v2:user:123, ${hostile}`)
})

const all = ["user:123", "user:456", "user:789", "users:list:1", "items:list:1"]

const fill = Effect.gen(function*() {
  const cache = yield* CacheClient
  yield* Effect.forEach(all, (key) => cache.set(key, `value of ${key}`, { schema: Schema.String, ttl: "5 minutes" }))
  yield* tagCacheKey("user:123", ["user", "profile"])
  yield* tagCacheKey("user:456", ["user", "profile"])
})

const remaining = Effect.gen(function*() {
  const cache = yield* CacheClient
  const found = yield* Effect.filter(all, (key) => Effect.map(cache.get(key, Schema.String), Option.isSome))
  return found.join(" ")
})

const invalidations = Effect.gen(function*() {
  const after = <E, R>(what: string, invalidate: Effect.Effect<void, E, R>, expected: string) =>
    Effect.gen(function*() {
      yield* fill
      yield* invalidate
      const left = yield* remaining
      yield* Console.log(`${what.padEnd(9)}  leaves ${left}`)
      assert.equal(left, expected)
    })
  yield* after("one key", invalidateKey("user:123"), "user:456 user:789 users:list:1 items:list:1")
  yield* after("keys", invalidateKeys(["user:123", "user:456", "user:789"]), "users:list:1 items:list:1")
  yield* after("pattern", invalidatePattern("*:list:*"), "user:123 user:456 user:789")
  yield* after("built", invalidatePattern(buildCachePattern("user:{id}")), "users:list:1 items:list:1")
  yield* after("tag", invalidateTags(["user"]), "user:789 users:list:1 items:list:1")
})

const statistics = Effect.gen(function*() {
  const stats = yield* getCacheStats
  yield* Console.log(`hits ${stats.hits}, misses ${stats.misses}, hit rate ${(stats.hitRate * 100).toFixed(2)} %`)
  // `scope` says whether size and memory are this process's or the server's; they differ between backends.
  // Both are the store's to say, and not there while it is away.
  assert.ok(stats.unavailable === undefined && stats.size! > 0 && stats.memoryMb! > 0)
  assert.equal(stats.hitRate, stats.hits / (stats.hits + stats.misses))
})

const program = Effect.gen(function*() {
  yield* Console.log(`manual:    ${yield* data}, then ${yield* data}`)
  assert.equal(operations, 1)
  yield* keys
  yield* invalidations
  yield* statistics
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
