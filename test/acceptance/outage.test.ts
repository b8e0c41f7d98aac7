/**
 * Redis stops under load, and comes back with what it held before.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, Layer, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheFallback,
  CacheLive,
  CacheMemory,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  stampedeProtect,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys } from "../support/client.ts"
import { TcpProxy } from "../support/proxy.ts"
import { RedisServer } from "../support/redisServer.ts"
import { until } from "../support/until.ts"

const deadline = 300
const loadMillis = 20

/** The table, and what is seen of its use. */
const makeTable = (rows: number) => {
  const versions = new Array<number>(rows).fill(0)
  const loading = new Array<number>(rows).fill(0)
  const seen = { reads: 0, loads: 0, failures: 0, atOnce: 0, slowest: 0, lag: 0 }
  const region = { key: "row:{id}", schema: Schema.Number, ttl: "10 minutes" } as const
  const get = cacheAside({ ...region, tags: (_, { id }) => [Number(id) < 4 ? "low" : "high"] })(
    ({ id }: { readonly id: number }) =>
      Effect.gen(function*() {
        seen.loads++
        seen.atOnce = Math.max(seen.atOnce, ++loading[id]!)
        const row = versions[id]!
        yield* Effect.sleep(loadMillis)
        return row
      }).pipe(Effect.ensuring(Effect.sync(() => void loading[id]!--)))
  )
  const set = writeThrough(region)(({ id }: { readonly id: number }) => Effect.sync(() => ++versions[id]!))
  /** Reads all rows over and over, and measures how long this process itself was kept from running. */
  const reader = (client: Client) =>
    Effect.forever(
      Effect.suspend(() => {
        const id = seen.reads++ % rows
        const startedAt = performance.now()
        return Effect.exit(client.run(get({ id }))).pipe(
          Effect.tap((exit) =>
            Effect.sync(() => {
              if (Exit.isFailure(exit)) seen.failures++
              seen.slowest = Math.max(seen.slowest, performance.now() - startedAt)
            })
          ),
          Effect.andThen(Effect.sleep(2))
        )
      })
    )
  const watch = Effect.forever(
    Effect.suspend(() => {
      const startedAt = performance.now()
      return Effect.andThen(
        Effect.sleep(5),
        Effect.sync(() => {
          seen.lag = Math.max(seen.lag, performance.now() - startedAt - 5)
        })
      )
    })
  )
  /** Until so many more reads were answered. */
  const more = (count: number) =>
    Effect.suspend(() => {
      const until = seen.reads + count
      const loop: Effect.Effect<void> = Effect.suspend(() =>
        seen.reads >= until ? Effect.void : Effect.andThen(Effect.sleep(5), loop)
      )
      return loop
    })
  return { versions, seen, get, set, reader, watch, more }
}

const refused = (client: Client, effect: Parameters<Client["run"]>[0]) =>
  Effect.map(Effect.flip(client.run(effect)), (error) => {
    assert.instanceOf(error, CacheError)
  })

/** Until the client trusts Redis again: an invalidation is acknowledged. */
/** A read of the primary's own: an invalidation is acknowledged before all that was written down has been carried out. */
const untilBack = (client: Client) =>
  until(Effect.isSuccess(client.run(CacheClient.use((cache) => cache.get("nobody's", Schema.Number)))))

describe("outages", () => {
  it.live(
    "Redis is stopped under load and started again",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const server = yield* RedisServer.scoped()
          const proxy = yield* TcpProxy.scoped({ port: server.port })
          const namespace = freshNamespace()
          const table = makeTable(8)
          const { get, seen, versions } = table
          const client = yield* buildClient(
            CacheFallback.layer({
              primary: CacheRedis.layer({ url: `redis://127.0.0.1:${proxy.port}`, namespace, timeout: deadline }),
              fallback: CacheMemory.layer({ maxEntries: 1000 }),
              timeout: deadline,
              retryAfter: "50 millis"
            })
          )
          const list = cacheAside({ key: "list:{id}", schema: Schema.Number, ttl: "10 minutes" })(
            (_: { readonly id: number }) => Effect.sync(() => versions[0]!)
          )
          yield* client.run(list({ id: 1 }))
          const readers = yield* Effect.forkChild(
            Effect.all(
              Array.from({ length: 20 }, () => table.reader(client)),
              { concurrency: "unbounded" }
            )
          )
          const watching = yield* Effect.forkChild(table.watch)
          yield* table.more(200)
          assert.strictEqual(seen.atOnce, 1)

          // What Redis holds now is there again after the restart, as if it had come back from its disk.
          const held = yield* Effect.scoped(
            Effect.flatMap(adminOf(server), (admin) =>
              Effect.promise(async () => {
                const names = await scanKeys(admin, `${namespace}:*`)
                return Promise.all(names.map(async (name) => [name, await admin.getBuffer(name)] as const))
              })
            )
          )
          assert.isAtLeast(held.length, 10)

          const loadsBefore = seen.loads
          yield* server.stop
          yield* table.more(500)
          assert.strictEqual(seen.failures, 0)
          // One load a key, whose value the fallback keeps.
          assert.strictEqual(seen.atOnce, 1)
          const loadsAway = seen.loads - loadsBefore
          assert.strictEqual(loadsAway, 8)

          for (let id = 0; id < 8; id++) versions[id]!++
          yield* refused(client, invalidateKey("row:7"))
          yield* refused(client, invalidateTags(["low"]))
          yield* refused(client, invalidatePattern("list:*"))
          // A write carries on without the cache; what it made old is written down as well.
          assert.strictEqual(yield* client.run(table.set({ id: 5 })), 2)
          // In this process they are in force at once.
          for (const id of [0, 1, 2, 3, 5, 7]) assert.strictEqual(yield* client.run(get({ id })), versions[id])

          proxy.refuse(true)
          proxy.cut()
          yield* server.start
          yield* Effect.scoped(
            Effect.flatMap(adminOf(server), (admin) =>
              Effect.promise(async () => {
                for (const [name, bytes] of held) if (bytes !== null) await admin.set(name, bytes, "PX", 600_000)
              })
            )
          )
          proxy.refuse(false)
          yield* table.more(200)
          yield* untilBack(client)

          const other = yield* buildClient(CacheRedis.layer({ url: server.url, namespace }))
          for (const at of [client, other]) {
            for (const id of [0, 1, 2, 3, 5, 7])
              assert.strictEqual(yield* at.run(get({ id })), versions[id], `row ${id}`)
            assert.strictEqual(yield* at.run(list({ id: 1 })), versions[0])
          }
          // What nobody invalidated is still good.
          assert.strictEqual(yield* other.run(get({ id: 4 })), 0)

          // The same with a server that says nothing more, instead of one that is gone.
          seen.slowest = seen.lag = 0
          yield* server.pause
          yield* table.more(300)
          const frozen = Math.round(seen.slowest)
          yield* server.resume
          yield* untilBack(client)
          yield* Fiber.interrupt(readers)
          yield* Fiber.interrupt(watching)
          assert.strictEqual(seen.failures, 0)
          assert.isAtMost(frozen - seen.lag, deadline + loadMillis + 150)
          console.log(
            `${seen.reads} reads, ${seen.failures} failures, ${loadsAway} loads of 8 keys while away, ` +
              `slowest caller ${frozen} ms with a deadline of ${deadline} ms and loads of ${loadMillis} ms`
          )
        })
      ),
    60_000
  )

  for (const wrapped of [false, true]) {
    it.live(
      `a server that was only slow keeps no lease of callers that gave up (${wrapped ? "with" : "without"} fallback)`,
      () =>
        Effect.scoped(
          Effect.gen(function*() {
            const server = yield* RedisServer.scoped()
            const namespace = freshNamespace()
            const primary = CacheRedis.layer({ url: server.url, namespace, timeout: deadline })
            // The lease outlives the test by far: who waited for its end would be seen.
            const client = yield* buildClient(
              wrapped
                ? CacheFallback.layer({
                    primary,
                    fallback: CacheMemory.layer(),
                    timeout: deadline,
                    retryAfter: "50 millis"
                  })
                : primary,
              { lockTtl: "10 minutes" }
            )
            let loads = 0
            const get = stampedeProtect({ key: "row:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
              Effect.suspend(() => Effect.as(Effect.sleep(loadMillis), ++loads && id))
            )
            // Some are in the middle of each step when the server freezes: before the claim, at it, in the load, at the fill.
            const callers = yield* Effect.forkChild(
              Effect.all(
                Array.from({ length: 200 }, (_, id) => Effect.delay(client.run(get({ id })), id)),
                { concurrency: "unbounded" }
              )
            )
            yield* Effect.sleep(100)
            yield* server.pause
            yield* Fiber.join(callers)
            yield* server.resume
            const admin = yield* adminOf(server)
            for (let i = 0; ; i++) {
              const left = yield* Effect.promise(() => scanKeys(admin, `${namespace}:l:*`))
              if (left.length === 0) break
              assert.isBelow(i, 500, `${left.length} leases are left`)
              yield* Effect.sleep(20)
            }
            yield* untilBack(client)
            // Nobody waits for a holder that is no more.
            yield* client.run(
              Effect.all(
                Array.from({ length: 200 }, (_, id) => get({ id })),
                { concurrency: "unbounded" }
              )
            )
          })
        ),
      60_000
    )
  }

  it.live(
    "CacheLive starts without Redis, and uses it once it is there",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const server = yield* RedisServer.scoped()
          const proxy = yield* TcpProxy.scoped({ port: server.port })
          proxy.refuse(true)
          const environment = ConfigProvider.layer(
            ConfigProvider.fromUnknown({
              REDIS_URL: `redis://127.0.0.1:${proxy.port}/0`,
              CACHE_TIMEOUT: "200 millis",
              CACHE_NAMESPACE: "live"
            })
          )
          const client = yield* buildClient(Layer.orDie(Layer.provide(CacheLive, environment)))
          let loads = 0
          const get = cacheAside({ key: "row", schema: Schema.Number })(Effect.sync(() => ++loads))
          assert.strictEqual(yield* client.run(get), 1)
          yield* refused(client, get.invalidate)
          assert.strictEqual(yield* client.run(get), 2)
          assert.strictEqual(yield* client.run(get), 2)
          assert.strictEqual(loads, 2)
          proxy.refuse(false)
          yield* untilBack(client)
          yield* client.run(CacheClient.use((cache) => cache.set("shared", 5, { schema: Schema.Number })))
          const other = yield* buildClient(CacheRedis.layer({ url: server.url, namespace: "live" }))
          const shared = yield* other.run(CacheClient.use((cache) => cache.get("shared", Schema.Number)))
          assert.strictEqual(shared._tag, "Some")
        })
      ),
    60_000
  )
})
