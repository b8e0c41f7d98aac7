import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Metric, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheMemory,
  type CacheServices,
  getCacheStats,
  invalidateKey,
  invalidateTags,
  writeThrough
} from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { showFigures } from "../../src/observe/figures.ts"
import { buildClient, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"
import { down, layer as withFallback, up } from "../support/fallback.ts"
import { inProcess } from "../support/layers.ts"
import { seriesOf } from "../support/metrics.ts"
import { until } from "../support/until.ts"

interface Id {
  readonly id: number
}

const region = { key: "f:{id}", schema: Schema.Number, ttl: "1 hour" } as const
const get = cacheAside(region)(({ id }: Id) => Effect.succeed(id))

/** Layers are built, and programs run, with this registry. */
const inRegistry = () => {
  const registry: Metric.MetricRegistry = new Map()
  const scoped = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.provideService(self, Metric.MetricRegistry, registry)
  return { scoped, series: () => seriesOf(registry) }
}

const open = <E>(layer: Layer.Layer<CacheServices, E>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const services = yield* Layer.build(Layer.fresh(layer)).pipe(Scope.provide(scope))
    const run = <A, E>(self: Effect.Effect<A, E, CacheServices>) => Effect.provideContext(self, services)
    return { run, close: Scope.close(scope, Exit.void), client: Context.get(services, CacheClient) }
  })

describe("what a store in this process holds", () => {
  it("is not added up to show one more", () => {
    let asked = 0
    const usage = Effect.sync(() => ({ scope: "process" as const, entries: ++asked, bytes: 0, evictions: 0 }))
    const context = Context.make(Metric.MetricRegistry, new Map())
    const hide = Array.from({ length: 100 }, () => showFigures(context, "many", [{ name: "store", usage }], undefined))
    assert.strictEqual(asked, 0)
    const sum = seriesOf(Context.get(context, Metric.MetricRegistry))["entries{layer=many,store=store}"]
    assert.isAtLeast(sum!, 100)
    for (const each of hide) each()
    assert.notProperty(seriesOf(Context.get(context, Metric.MetricRegistry)), "entries{layer=many,store=store}")
  })

  it.effect("is read when somebody looks, of all clients together", () => {
    const { scoped, series } = inRegistry()
    return Effect.scoped(
      Effect.gen(function*() {
        const layer = CacheMemory.layer({ maxEntries: 10 })
        const a = yield* open(layer)
        const held = () => {
          const all = series()
          return ["entries", "evictions_total"].map((name) => all[`${name}{layer=memory,store=memory}`])
        }
        assert.deepStrictEqual(held(), [0, 0])
        yield* a.run(Effect.forEach([1, 2, 3], (id) => get({ id })))
        assert.deepStrictEqual(held(), [3, 0])
        assert.isAbove(series()["bytes{layer=memory,store=memory}"]!, 0)
        const b = yield* open(layer)
        yield* b.run(get({ id: 1 }))
        assert.deepStrictEqual(held(), [4, 0])
        yield* a.run(
          Effect.forEach(
            Array.from({ length: 40 }, (_, id) => id),
            (id) => get({ id })
          )
        )
        const { evictions, size } = yield* a.run(getCacheStats)
        assert.isAbove(evictions!, 0)
        assert.deepStrictEqual(held(), [size! + 1, evictions])
        yield* a.close
        // What was counted stays.
        assert.deepStrictEqual(held(), [1, evictions])
        yield* b.close
        assert.deepStrictEqual(held(), [undefined, evictions])
        assert.isUndefined(series()["bytes{layer=memory,store=memory}"])
        const c = yield* open(layer)
        yield* c.run(get({ id: 1 }))
        assert.deepStrictEqual(held(), [1, evictions])
      })
    ).pipe(scoped)
  })
})

describe("the breaker", () => {
  it.effect("its state, the journal, and what is held beside it", () => {
    const { scoped, series } = inRegistry()
    const states = () => {
      const all = series()
      return ["trusted", "away", "replaying"].map((state) => all[`breaker_state{layer=test,state=${state}}`])
    }
    const journal = () => series()["journal_length{layer=test}"]
    return Effect.gen(function*() {
      // The primary has a client of its own, whose breaker sees nothing of this.
      assert.deepStrictEqual([states(), journal()], [[2, 0, 0], 0])
      yield* get({ id: 1 })
      yield* down
      yield* Effect.flip(invalidateTags(["a", "b"]))
      yield* get({ id: 1 })
      assert.deepStrictEqual([states(), journal()], [[1, 1, 0], 2])
      assert.deepInclude(series(), { "entries{layer=test,store=memory}": 1, "entries{layer=test,store=local}": 0 })
      yield* up
      assert.deepStrictEqual([states(), journal()], [[2, 0, 0], 0])
    }).pipe(Effect.provide(withFallback()), scoped)
  })
})

for (const [name, layer] of inProcess) {
  describe(`loads on ${name}`, () => {
    const labels = `{layer=${name === "bytes" ? "test" : "memory"},region=f:{id}}`

    it.effect("those that are shared, and fills that are refused", () => {
      const { scoped, series } = inRegistry()
      return Effect.gen(function*() {
        const gate = makeGate<number>()
        const slow = cacheAside(region)(({ id }: Id) => gate.pass(id))
        const callers = yield* Effect.forEach([1, 2, 3], () =>
          Effect.forkChild(slow({ id: 1 }), { startImmediately: true })
        )
        yield* gate.reached
        assert.strictEqual(series()[`shared_loads_total${labels}`], 2)
        assert.isUndefined(series()[`refused_fills_total${labels}`])
        yield* invalidateKey("f:1")
        yield* gate.open
        yield* Effect.forEach(callers, Fiber.join)
        assert.strictEqual(series()[`refused_fills_total${labels}`], 1)
        const { rejectedFills, shared } = yield* getCacheStats
        assert.deepStrictEqual([shared, rejectedFills], [2, 1])
      }).pipe(Effect.provide(layer), scoped)
    })

    it.effect("a write that was overtaken has a refused fill", () => {
      const { scoped, series } = inRegistry()
      return Effect.gen(function*() {
        const put = writeThrough(region)(({ id }: Id) => Effect.as(Effect.ignore(invalidateKey(`f:${id}`)), id))
        yield* put({ id: 2 })
        yield* TestClock.adjust(10)
        assert.strictEqual(series()[`refused_fills_total${labels}`], 1)
      }).pipe(Effect.provide(layer), scoped)
    })
  })
}

describe("on Redis", () => {
  const server = sharedRedis()
  const trips = "trip{connection=main,layer=redis}"

  it.live("a trip is timed once a flush, and what the server holds is noted when it is asked", () => {
    const { scoped, series } = inRegistry()
    return Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* server
        const client = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
        const ids = Array.from({ length: 50 }, (_, id) => id)
        const all = client.run(Effect.forEach(ids, (id) => get({ id }), { concurrency: "unbounded" }))
        yield* all
        yield* client.settle
        const before = series()[trips]!
        assert.isAbove(before, 0)
        // 50 hits of one tick are one command, and one flush.
        yield* all
        assert.strictEqual(series()[trips], before + 1)
        assert.isUndefined(series()["entries{layer=redis,store=redis}"])
        const { evictions, size } = yield* client.run(getCacheStats)
        assert.deepInclude(series(), {
          "entries{layer=redis,store=redis}": size,
          "evictions_total{layer=redis,store=redis}": evictions
        })
        assert.isAbove(series()["bytes{layer=redis,store=redis}"]!, 0)
      })
    ).pipe(scoped)
  })

  it.live("a call whose trip shows that a load runs is counted as sharing it", () => {
    const { scoped, series } = inRegistry()
    return Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* server
        const client = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
        const gate = makeGate<number>()
        const slow = cacheAside(region)(({ id }: Id) => gate.pass(id))
        const first = yield* Effect.forkChild(client.run(slow({ id: 1 })), { startImmediately: true })
        yield* gate.reached
        const others = yield* Effect.forEach([1, 2, 3], () =>
          Effect.forkChild(client.run(slow({ id: 1 })), { startImmediately: true })
        )
        yield* until(Effect.sync(() => series()["shared_loads_total{layer=redis,region=f:{id}}"] === 3))
        yield* gate.open
        yield* Effect.forEach([first, ...others], Fiber.join)
        const { loads, misses, shared } = yield* client.run(getCacheStats)
        assert.deepStrictEqual([loads, misses, shared], [1, 4, 3])
      })
    ).pipe(scoped)
  })

  it.live("a registry that throws keeps no reply from who waits", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* server
        const registry: Metric.MetricRegistry = new Map()
        const build = buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
        const client = yield* Effect.provideService(build, Metric.MetricRegistry, registry)
        registry.get = () => {
          throw new Error("of the registry")
        }
        assert.strictEqual(yield* client.run(get({ id: 1 })), 1)
        assert.strictEqual(yield* client.run(get({ id: 1 })), 1)
      })
    )
  )
})
