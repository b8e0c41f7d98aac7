/**
 * Nothing is left after many operations of which many are interrupted.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Schema, Scope } from "effect"
import {
  cacheAside,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  LockManager,
  memoize,
  stampedeProtect,
  tagCacheKey,
  writeThrough
} from "../../src/index.ts"
import { assemble } from "../../src/layers/assemble.ts"
import { makeMemoryPrimitivesWithState } from "../../src/stores/memory/primitives.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { generator } from "../support/random.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"

const server = sharedRedis()
const keys = 12

/** Counts the fibers that run. */
const fiberCounter = () => {
  const counter = { alive: 0, most: 0 }
  const service: Metric.FiberRuntimeMetricsService = {
    recordFiberStart: () => {
      counter.most = Math.max(counter.most, ++counter.alive)
    },
    recordFiberEnd: () => void counter.alive--
  }
  return { counter, service }
}

/** Runs that many operations from as many fibers; interrupts about a third of them, at any moment. */
const mix = (clients: ReadonlyArray<Client>, operations: number, fibers: number, slow: boolean) =>
  Effect.gen(function*() {
    const shared = generator(operations)
    let interrupted = 0
    const work = (id: number) =>
      Effect.gen(function*() {
        const way = shared(10)
        if (way < 5) yield* Effect.yieldNow
        else if (way < 7 && slow) yield* Effect.sleep(shared(3))
        if (way === 9) return yield* Effect.fail("failed")
        if (way === 8) return yield* Effect.die("died")
        return id
      })
    type Id = { readonly id: number }
    const region = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute", tags: () => ["all"] } as const
    const load = ({ id }: Id) => work(id)
    const plain = cacheAside(region)(load)
    const guarded = stampedeProtect({ ...region, lockTtl: "5 seconds" })(load)
    const memo = memoize({ name: "leaks" })((_: Id) => work(_.id))
    const write = writeThrough(region, { invalidateTags: ["written"] })(load)
    const nested = cacheAside({ ...region, key: "nested:{id}" })((at: Id) => guarded(at))
    const operation = (random: (below: number) => number): Effect.Effect<unknown, unknown, any> => {
      const at = { id: random(keys) }
      switch (random(14)) {
        case 0:
          return invalidateKey(`row:${at.id}`)
        case 1:
          return invalidateTags(["all"])
        case 2:
          return random(20) === 0 ? invalidatePattern("row:*") : plain.peek(at)
        case 3:
          return write(at)
        case 4:
          return plain.refresh(at)
        case 5:
          return tagCacheKey(`row:${at.id}`, ["more"])
        case 6:
          return LockManager.use((locks) => locks.withLock(`lock:${random(3)}`, { wait: "2 seconds" })(work(at.id)))
        case 7:
        case 8:
          return guarded(at)
        case 9:
          return nested(at)
        case 10:
          return memo(at)
        default:
          return plain(at)
      }
    }
    const worker = (n: number) =>
      Effect.gen(function*() {
        const random = generator(n + 1)
        for (let i = 0; i < operations / fibers; i++) {
          const client = clients[random(clients.length)]!
          const self = Effect.exit(client.run(operation(random)))
          if (random(3) > 0) {
            yield* self
            continue
          }
          const fiber = yield* Effect.forkChild(self, { startImmediately: random(2) === 0 })
          for (let k = random(5); k > 0; k--) yield* Effect.yieldNow
          if (slow && random(2) === 0) yield* Effect.sleep(random(4))
          yield* Fiber.interrupt(fiber)
          interrupted++
        }
      })
    yield* Effect.all(
      Array.from({ length: fibers }, (_, n) => worker(n)),
      { concurrency: "unbounded", discard: true }
    )
    return interrupted
  })

/** Until it is so: what was sent may need a moment to end. */
const eventually = (what: string, condition: Effect.Effect<unknown, unknown>) =>
  Effect.gen(function*() {
    let last: unknown
    for (let i = 0; i < 200; i++) {
      last = yield* Effect.orDie(condition)
      if (last === 0) return
      yield* Effect.sleep(20)
    }
    assert.fail(`${what}: ${String(last)} left`)
  })

describe("nothing is left", () => {
  it.live(
    "in memory",
    () => {
      const { counter, service } = fiberCounter()
      return Effect.scoped(
        Effect.gen(function*() {
          const primitives = yield* makeMemoryPrimitivesWithState({ maxEntries: 20 })
          const client = yield* buildClient(Layer.effectContext(assemble(primitives)))
          const before = counter.alive
          const interrupted = yield* mix([client], 100_000, 50, false)
          yield* eventually("loads", client.inFlight)
          yield* eventually(
            "leases",
            Effect.sync(() => primitives.state.leases.size)
          )
          yield* eventually(
            "locks",
            Effect.sync(() => primitives.state.locks.size)
          )
          // The counter counts, also those of loads.
          assert.isAbove(counter.most, 75)
          yield* eventually(
            "fibers",
            Effect.sync(() => counter.alive - before)
          )
          console.log(`in memory, 100,000 operations, ${interrupted} interrupted: no load, lease or fiber left`)
        })
      ).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, service))
    },
    120_000
  )

  it.live(
    "on Redis, between two clients",
    () => {
      const { counter, service } = fiberCounter()
      return Effect.scoped(
        Effect.gen(function*() {
          const running = yield* server
          const admin = yield* adminOf(running)
          const namespace = freshNamespace()
          const connections = Effect.promise(
            async () =>
              String(await admin.client("LIST"))
                .trim()
                .split("\n").length
          )
          const before = yield* connections
          const scope = yield* Scope.make()
          const layer = CacheRedis.layer({ url: running.url, namespace, timeout: "20 seconds" })
          const clients = yield* Effect.all([buildClient(layer), buildClient(layer)]).pipe(Scope.provide(scope))
          const fibers = counter.alive
          const interrupted = yield* mix(clients, 20_000, 50, true)
          for (const client of clients) yield* eventually("loads", client.inFlight)
          const left = (match: string) =>
            Effect.promise(async () => (await scanKeys(admin, `${namespace}:${match}`)).length)
          yield* eventually("leases", left("l:*"))
          yield* eventually("locks", left("lock:*"))
          yield* eventually(
            "fibers",
            Effect.sync(() => counter.alive - fibers)
          )
          yield* eventually(
            "subscriptions",
            Effect.promise(async () => ((await admin.pubsub("CHANNELS", "*")) as Array<string>).length)
          )
          const used = yield* connections
          // Each has one for commands, and one for hints that is kept once opened.
          assert.isAtMost(used - before, 4)
          yield* Scope.close(scope, Exit.void)
          yield* eventually(
            "connections",
            Effect.map(connections, (now) => now - before)
          )
          console.log(
            `on Redis, 20,000 operations, ${interrupted} interrupted: no load, lease, lock, fiber or ` +
              `subscription left; ${used - before} connections in use, 0 after the scope`
          )
        })
      ).pipe(Effect.provideService(Metric.FiberRuntimeMetrics, service))
    },
    120_000
  )
})
