/**
 * Round trips, counted at a proxy between client and Redis.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside, CacheClient, stampedeProtect, writeThrough } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { TcpProxy } from "../support/proxy.ts"

const server = sharedRedis()

const world = Effect.gen(function*() {
  const running = yield* server
  const proxy = yield* TcpProxy.scoped({ port: running.port })
  const layer = CacheRedis.layer({
    url: `redis://127.0.0.1:${proxy.port}`,
    namespace: freshNamespace(),
    timeout: "10 seconds"
  })
  const client = yield* buildClient(layer)
  // Connected, and the epoch and the scripts are there.
  const warm = cacheAside({ key: "warm", schema: Schema.Number, tags: ["warm"] })(Effect.succeed(0))
  yield* client.run(warm)
  yield* client.run(warm)
  const tripsOf = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      proxy.reset()
      return Effect.map(effect, () => proxy.trips())
    })
  return { proxy, layer, client, tripsOf }
})

describe("round trips", () => {
  const kinds = {
    "without tags": {},
    "with static tags": { tags: ["warm", "b"] },
    "with tags of the value": { tags: (value: number) => ["warm", `value:${value}`] }
  }
  for (const [name, extra] of Object.entries(kinds)) {
    for (const [pattern, wrap] of Object.entries({
      cacheAside,
      stampedeProtect: stampedeProtect as unknown as typeof cacheAside
    })) {
      it.live(`${pattern} ${name}`, () =>
        Effect.scoped(
          Effect.gen(function*() {
            const { client, proxy, tripsOf } = yield* world
            let before = 0
            const get = wrap({ key: "row:{id}", schema: Schema.Number, ttl: "1 minute", ...extra })(
              (_: { readonly id: number }) =>
                Effect.sync(() => {
                  before = proxy.trips()
                  return 1
                })
            )
            // Markers that are new are confirmed by one more command that nobody waits for: see the second test.
            yield* client.run(get({ id: 0 }))
            yield* client.settle
            const miss = yield* tripsOf(client.run(get({ id: 1 })))
            yield* client.settle
            const hit = yield* tripsOf(client.run(get({ id: 1 })))
            assert.isAtMost(before, 2)
            assert.isAtMost(miss - before, 1)
            assert.strictEqual(hit, 1)
            console.log(`${pattern} ${name}: a hit ${hit}, a miss ${before} before the load and ${miss - before} after`)
          })
        )
      )
    }
  }

  it.live("with a tag that nobody used before, nobody waits for more", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, proxy, tripsOf } = yield* world
        let before = 0
        const get = cacheAside({ key: "row", schema: Schema.Number, tags: () => ["new"] })(
          Effect.sync(() => {
            before = proxy.trips()
            return 1
          })
        )
        const miss = yield* tripsOf(client.run(get))
        assert.isAtMost(before, 2)
        assert.isAtMost(miss - before, 1)
        yield* client.settle
        assert.strictEqual(yield* tripsOf(client.run(get)), 1)
      })
    )
  )

  it.live("a second client needs one more trip for tags it has not seen, once", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, layer, tripsOf } = yield* world
        const get = cacheAside({ key: "row", schema: Schema.Number, tags: () => ["x"] })(Effect.succeed(1))
        yield* client.run(get)
        const second = yield* buildClient(layer)
        yield* second.settle
        const first = yield* tripsOf(second.run(get))
        const again = yield* tripsOf(second.run(get))
        assert.deepStrictEqual([first, again], [2, 1])
      })
    )
  )

  it.live("writes and invalidations", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, tripsOf } = yield* world
        const write = writeThrough({ key: "row", schema: Schema.Number })(Effect.succeed(1))
        yield* client.run(write)
        const written = yield* tripsOf(client.run(write))
        const key = yield* tripsOf(client.run(CacheClient.use((cache) => cache.invalidateKeys(["row", "a", "b", "c"]))))
        yield* client.run(CacheClient.use((cache) => cache.invalidateTags(["x"])))
        const tag = yield* tripsOf(client.run(CacheClient.use((cache) => cache.invalidateTags(["x", "y", "z"]))))
        assert.deepStrictEqual([written, key, tag], [2, 1, 2])
        console.log(`write-through ${written}, four keys ${key}, three tags ${tag}`)
      })
    )
  )

  it.live("what a write is going to invalidate is put down in the flush that takes its lease over", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { client, proxy, tripsOf } = yield* world
        let before = 0
        const trips = (intent: boolean) =>
          Effect.gen(function*() {
            const write = writeThrough(
              { key: "row", schema: Schema.Number },
              { invalidateTags: ["x", "y"], intent }
            )(
              Effect.sync(() => {
                before = proxy.trips()
                return 1
              })
            )
            yield* client.run(write)
            yield* client.settle
            const all = yield* tripsOf(client.run(write))
            yield* client.settle
            return [before, all - before] as const
          })
        const [beforeBare, afterBare] = yield* trips(false)
        const [beforeWrite, afterWrite] = yield* trips(true)
        assert.deepStrictEqual([beforeBare, afterBare, beforeWrite], [1, 3, 1])
        // It is taken out behind the answer, which may be sent before the trips are counted.
        assert.isAtMost(afterWrite, afterBare + 1)
      })
    )
  )
})
