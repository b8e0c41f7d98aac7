/**
 * A call of a cached function is an effect of its own kind. It must behave like any effect all the same.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Metric, Scheduler, Schema } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheClient, CacheMemory, getCacheStats } from "effect-cache"

const make = () => {
  const loads: Array<string> = []
  const get = cacheAside({ key: "k:{id}", schema: Schema.String, ttl: "1 minute" })(({ id }: { readonly id: string }) =>
    Effect.sync(() => {
      loads.push(id)
      return `${id}, load ${loads.length}`
    })
  )
  return { get, loads }
}

const withMemory = Effect.provide(CacheMemory.layer(), { local: true })

describe("the call of a cached function", () => {
  it.effect("gives others their turn, in a fiber of nothing but hits", () =>
    Effect.gen(function*() {
      const { get } = make()
      let stop = false
      yield* get({ id: "a" })
      const other = yield* Effect.forkChild(
        Effect.sync(() => {
          stop = true
        })
      )
      while (!stop) yield* get({ id: "a" })
      yield* Fiber.join(other)
    }).pipe(withMemory)
  )

  it.effect("can be interrupted, in a fiber of nothing but hits", () =>
    Effect.gen(function*() {
      const { get } = make()
      const forever = yield* Effect.forkChild(
        Effect.gen(function*() {
          for (;;) yield* get({ id: "a" })
        })
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(forever)
    }).pipe(withMemory)
  )

  it.effect("goes by the clock of its fiber", () =>
    Effect.gen(function*() {
      const { get, loads } = make()
      assert.strictEqual(yield* get({ id: "a" }), "a, load 1")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* get({ id: "a" }), "a, load 1")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* get({ id: "a" }), "a, load 2")
      assert.lengthOf(loads, 2)
    }).pipe(withMemory)
  )

  it.live("reads the real clock anew in each run", () =>
    Effect.gen(function*() {
      let loads = 0
      const get = cacheAside({ key: "k", schema: Schema.Number, ttl: "2 millis" })(Effect.sync(() => ++loads))
      yield* get
      yield* Effect.sleep("10 millis")
      assert.strictEqual(yield* get, 2)
    }).pipe(withMemory)
  )

  it.effect("asks the client of its fiber, also when that changes within a run", () =>
    Effect.gen(function*() {
      const { get, loads } = make()
      const one = Context.get(yield* Layer.build(Layer.fresh(CacheMemory.layer())), CacheClient)
      const two = Context.get(yield* Layer.build(Layer.fresh(CacheMemory.layer())), CacheClient)
      const here = Effect.gen(function*() {
        return yield* get({ id: "a" })
      })
      const of = (client: CacheClient["Service"]) => Effect.provideService(here, CacheClient, client)
      assert.deepStrictEqual(
        [yield* of(one), yield* of(two), yield* of(one), yield* of(two)],
        ["a, load 1", "a, load 2", "a, load 1", "a, load 2"]
      )
      assert.lengthOf(loads, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("is evaluated where it is run, not where an eager generator is stepped", () =>
    Effect.gen(function*() {
      const { get, loads } = make()
      const eager = Effect.fnUntracedEager(function*() {
        return yield* get({ id: "a" })
      })
      yield* get({ id: "a" })
      const before = eager()
      yield* get.invalidate({ id: "a" })
      assert.strictEqual(yield* before, "a, load 2")
      const other = Context.get(yield* Layer.build(Layer.fresh(CacheMemory.layer())), CacheClient)
      assert.strictEqual(yield* Effect.provideService(eager(), CacheClient, other), "a, load 3")
      eager()
      assert.lengthOf(loads, 3)
      // What was looked up in vain is no hit.
      assert.strictEqual((yield* getCacheStats).hits, 0)
    }).pipe(Effect.scoped, withMemory)
  )

  it.effect("is evaluated when it is run, also if a driver in between held it", () =>
    Effect.gen(function*() {
      const { get, loads } = make()
      const middleware = <A>(body: () => Generator<Effect.Effect<unknown>, A, never>, between: Effect.Effect<void>) =>
        Effect.gen(function*() {
          const inner = body()
          let step = inner.next()
          while (step.done !== true) {
            yield* between
            const value = (yield step.value as never) as never
            step = inner.next(value)
          }
          return step.value
        })
      const body = function*(): Generator<Effect.Effect<unknown>, string, never> {
        return yield* get({ id: "a" }) as unknown as Iterable<Effect.Effect<unknown>, string>
      }
      yield* get({ id: "a" })
      const invalidate = Effect.orDie(get.invalidate({ id: "a" })) as Effect.Effect<void>
      assert.strictEqual(yield* middleware(body, invalidate), "a, load 2")
      assert.strictEqual(yield* middleware(body, Effect.yieldNow), "a, load 2")
      assert.strictEqual(
        yield* middleware(
          body,
          Effect.promise(() => Promise.resolve())
        ),
        "a, load 2"
      )
      const held = get({ id: "a" })[Symbol.iterator]().next().value as unknown as Effect.Effect<string>
      assert.isTrue(Effect.isEffect(held))
      yield* invalidate
      assert.strictEqual(yield* held, "a, load 3")
      assert.strictEqual(yield* Effect.map(held, (value) => `mapped ${value}`), "mapped a, load 3")
      assert.lengthOf(loads, 3)
    }).pipe(withMemory)
  )

  it.effect("gives others their turn, whatever else reads in between", () =>
    Effect.gen(function*() {
      const { get } = make()
      const context = yield* Effect.context<CacheClient>()
      let stop = false
      yield* get({ id: "a" })
      const other = yield* Effect.forkChild(
        Effect.sync(() => {
          stop = true
        })
      )
      const nested = Effect.gen(function*() {
        return yield* get({ id: "a" })
      })
      while (!stop) {
        yield* get({ id: "a" })
        Effect.runSyncWith(context)(nested)
      }
      yield* Fiber.join(other)
    }).pipe(withMemory)
  )

  it.effect("is the same for a cached effect", () =>
    Effect.gen(function*() {
      let loads = 0
      const get = cacheAside({ key: "k", schema: Schema.Number })(Effect.sync(() => ++loads))
      assert.deepStrictEqual([yield* get, yield* get], [1, 1])
      yield* get.invalidate
      assert.deepStrictEqual([yield* get, yield* Effect.map(get, (n) => n + 1)], [2, 3])
      assert.strictEqual((yield* getCacheStats).hits, 2)
    }).pipe(withMemory)
  )

  it.effect("that is interrupted at any step leaves no load behind", () =>
    Effect.gen(function*() {
      let open = 0
      const get = cacheAside({ key: "k:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
        Effect.onExit(
          Effect.suspend(() => {
            open++
            return Effect.never as Effect.Effect<number>
          }),
          () => Effect.sync(() => open--)
        ).pipe(Effect.as(id))
      )
      for (let offset = 0; offset < 40; offset++) {
        const caller = yield* Effect.forkChild(
          Effect.gen(function*() {
            for (let i = 0; i < offset; i++) yield* Effect.void
            yield* get({ id: offset })
          }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, 20)),
          { startImmediately: true }
        )
        yield* Fiber.interrupt(caller)
      }
      assert.strictEqual(open, 0)
      assert.strictEqual((yield* getCacheStats).inFlight, 0)
    }).pipe(withMemory)
  )

  it.effect("is a value: run again, by several, or not at all", () =>
    Effect.gen(function*() {
      const { get, loads } = make()
      const call = get({ id: "a" })
      get({ id: "b" })
      assert.strictEqual(yield* call, "a, load 1")
      assert.deepStrictEqual(yield* Effect.all([call, call], { concurrency: 2 }), ["a, load 1", "a, load 1"])
      assert.strictEqual(yield* Fiber.join(yield* Effect.forkChild(call)), "a, load 1")
      yield* get.invalidate({ id: "a" })
      assert.strictEqual(yield* call, "a, load 2")
      assert.deepStrictEqual(loads, ["a", "a"])
    }).pipe(withMemory)
  )

  it.effect("fails, dies and is refused like any effect", () =>
    Effect.gen(function*() {
      const failing = cacheAside({ key: "f:{id}", schema: Schema.String })(({ id }: { readonly id: number }) =>
        id === 1 ? Effect.fail("no" as const) : Effect.die("defect")
      )
      const caught = Effect.gen(function*() {
        return yield* failing({ id: 1 })
      })
      assert.strictEqual(yield* Effect.flip(caught), "no")
      const died = yield* Effect.exit(
        Effect.gen(function*() {
          return yield* failing({ id: 2 })
        })
      )
      assert.isTrue(Exit.isFailure(died) && Cause.hasDies(died.cause))
      // No key can be made of it, so it is not cached.
      const { get, loads } = make()
      yield* get({ id: {} as string })
      yield* get({ id: {} as string })
      assert.lengthOf(loads, 2)
      const throwing = yield* Effect.exit(
        Effect.gen(function*() {
          return yield* get({
            get id(): string {
              throw new Error("a getter")
            }
          })
        })
      )
      assert.isTrue(Exit.isFailure(throwing) && Cause.hasDies(throwing.cause))
    }).pipe(withMemory)
  )

  it.effect("without a client dies, as a missing service does", () =>
    Effect.gen(function*() {
      const { get } = make()
      const bare = Effect.gen(function*() {
        return yield* get({ id: "a" })
      }) as Effect.Effect<string>
      const exit = yield* Effect.exit(bare)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )

  it.effect("counts each hit for the metrics of the fiber that asked", () =>
    Effect.gen(function*() {
      const { get } = make()
      const hits = (registry: Map<never, never>) =>
        Effect.map(Effect.provideService(Metric.snapshot, Metric.MetricRegistry, registry as never), (all) =>
          all
            .filter(({ attributes, id }) => id === "effect_cache_requests_total" && attributes?.["outcome"] === "hit")
            .map(({ attributes, state }) => [attributes?.["route"], (state as { readonly count: number }).count])
            .sort()
        )
      const one = new Map<never, never>()
      const two = new Map<never, never>()
      const ask = (registry: Map<never, never>, route: string) =>
        Effect.gen(function*() {
          return yield* get({ id: "a" })
        }).pipe(
          Effect.provideService(Metric.CurrentMetricAttributes, { route }),
          Effect.provideService(Metric.MetricRegistry, registry as never)
        )
      yield* get({ id: "a" })
      for (const [registry, route] of [
        [one, "x"],
        [one, "y"],
        [one, "x"],
        [two, "x"]
      ] as const)
        yield* ask(registry, route)
      assert.deepStrictEqual(yield* hits(one), [
        ["x", 2],
        ["y", 1]
      ])
      assert.deepStrictEqual(yield* hits(two), [["x", 1]])
      // Another client with the same labels counts on.
      yield* Effect.provide(ask(one, "x"), Layer.fresh(CacheMemory.layer()), { local: true })
      yield* Effect.provide(Effect.andThen(ask(one, "x"), ask(one, "x")), Layer.fresh(CacheMemory.layer()), {
        local: true
      })
      assert.deepStrictEqual(yield* hits(one), [
        ["x", 3],
        ["y", 1]
      ])
      assert.strictEqual((yield* getCacheStats).hits, 4)
    }).pipe(withMemory)
  )
})
