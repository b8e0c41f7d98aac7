/**
 * Hits in Redis, beside the driver's own GET and JSON.parse.
 */
import { Effect, Schema } from "effect"
import { cacheAside } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { Redis } from "ioredis"
import { RedisServer } from "../test/support/redisServer.ts"
import { measure, report } from "./measure.ts"

const Item = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  numbers: Schema.Array(Schema.Number),
  text: Schema.String
})
const load = ({ id }: { readonly id: string }) =>
  Effect.succeed({ id, name: `item ${id}`, numbers: [1, 2, 3, 4, 5], text: "x".repeat(80) })

const getItem = cacheAside({ key: "item:{id}", schema: Item, ttl: "10 minutes" })(load)
const getTagged = cacheAside({ key: "tagged:{id}", schema: Item, ttl: "10 minutes", tags: ["item", "tenant"] })(load)

const keys = 10_000
const ids = Array.from({ length: keys }, (_, i) => ({ id: String(i) }))

/** `width` callers at a time, until `count` calls are made. */
const inFlight =
  <R>(width: number, operation: (i: number) => Effect.Effect<unknown, unknown, R>) =>
  (count: number) => {
    let next = 0
    const caller = Effect.gen(function*() {
      while (next < count) yield* operation(next++ % keys)
    })
    return Effect.all(
      Array.from({ length: width }, () => caller),
      { concurrency: "unbounded", discard: true }
    )
  }

const promisesInFlight = (width: number, operation: (i: number) => Promise<unknown>) => (count: number) =>
  Effect.promise(() => {
    let next = 0
    const caller = async () => {
      while (next < count) await operation(next++ % keys)
    }
    return Promise.all(Array.from({ length: width }, caller))
  })

const bench = (url: string) =>
  Effect.gen(function*() {
    const driver = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(url, { enableAutoPipelining: true })),
      (client) => Effect.sync(() => client.disconnect())
    )
    for (const id of ids) {
      yield* getItem(id)
      yield* getTagged(id)
      yield* Effect.promise(() => driver.set(`raw:${id.id}`, JSON.stringify(Effect.runSync(load(id)))))
    }
    for (const [width, count] of [
      [1, 3_000],
      [64, 30_000]
    ] as const) {
      report(
        `redis, a hit, ${width} in flight (wall time)`,
        yield* measure(
          [
            {
              name: "ioredis, auto-pipelined GET and JSON.parse",
              run: promisesInFlight(width, async (i) => JSON.parse((await driver.get(`raw:${i}`))!))
            },
            { name: "cacheAside", run: inFlight(width, (i) => getItem(ids[i]!)) },
            { name: "cacheAside with two tags", run: inFlight(width, (i) => getTagged(ids[i]!)) }
          ],
          { count, clock: "wall" }
        )
      )
    }
  }).pipe(Effect.scoped, Effect.provide(CacheRedis.layer({ url, timeout: "10 seconds" })))

export const redis = Effect.scoped(Effect.flatMap(RedisServer.scoped(), (server) => bench(server.url)))
