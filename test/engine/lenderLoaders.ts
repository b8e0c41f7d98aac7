/**
 * What becomes of loaders that begin again in the context of another caller, and of what they load.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import { cacheAside, CacheClient, type CacheServices, invalidateTags } from "effect-cache"
import { connect, connected, Connection, makeQuery } from "../support/connections.ts"
import { caller, type Id, kept, one, type Query, settings, staying, type Test } from "../support/lenders.ts"

export const loaders = (test: Test): void => {
  test("another function's caller lends its own: its loader, arguments, tags", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      type Params = { readonly id: string; readonly by: string }
      const of = (name: string) =>
        cacheAside({
          ...settings,
          ignore: ["by"],
          tags: (_, params) => [`${name}:${(params as Params).by}`]
        })(({ by }: Params) => Effect.map(query, (text) => `${name} ${by} ${text}`))
      const getA = of("A")
      const getB = of("B")
      const first = yield* caller(world, "a", getA({ id: "1", by: "x" }))
      yield* begun(1)
      const second = yield* caller(world, "b", getB({ id: "1", by: "y" }))
      const third = yield* caller(world, "c", getA({ id: "1", by: "z" }))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(2)
      assert.deepStrictEqual([yield* Fiber.join(second), yield* Fiber.join(third)], ["B y b", "B y b"])
      if (world.isAway === true) return
      const peek = world.client.run(getA.peek({ id: "1", by: "z" }))
      yield* world.client.run(invalidateTags(["A:x", "A:z"]))
      assert.deepStrictEqual(yield* peek, Option.some("B y b"))
      yield* world.client.run(invalidateTags(["B:y"]))
      assert.deepStrictEqual(yield* peek, Option.none())
    }))

  test("a failure is that of the function that failed, also after it took over", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      let loads = 0
      const getA = cacheAside(settings)((_: Id) => (++loads === 1 ? query : Effect.succeed("A")))
      const getB = cacheAside(settings)((_: Id) => Effect.andThen(query, Effect.fail("B")))
      const first = yield* caller(world, "a", getA(one))
      yield* begun(1)
      const second = yield* caller(world, "b", Effect.flip(getB(one)))
      const third = yield* caller(world, "c", getA(one))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(second), "B")
      // It looks again for itself.
      assert.strictEqual(yield* Fiber.join(third), "A")
    }))

  test("a loader that cannot be interrupted holds up nobody, and what it gives is nobody's", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery({ quiet: true, uninterruptible: true })
      const get = cacheAside(settings)((_: Id) => query)
      const first = yield* caller(world, "a", get(one))
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      assert.strictEqual(state.ended, 0)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(second), "b")
      assert.strictEqual(state.ended, 1)
      yield* go(1)
      yield* world.client.settle
      assert.strictEqual(state.ended, 2)
      yield* kept(world, get.peek(one), "b")
    }))

  test("and when it ends first", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery({ quiet: true, uninterruptible: true })
      const get = cacheAside(settings)((_: Id) => query)
      const first = yield* caller(world, "a", get(one))
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(1)
      yield* world.client.settle
      assert.strictEqual(state.ended, 1)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(second), "b")
      yield* kept(world, get.peek(one), "b")
    }))

  test("a connection that fails its query before the scope gets to the load", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const scope = yield* Scope.make()
      let connection: Effect.Success<ReturnType<typeof connect>> | undefined
      // A pool that opens its connection when it is asked: that closes before what was put in the scope meanwhile.
      const lazily = Effect.suspend(() => query).pipe(
        Effect.updateService(Connection, () => connection!)
      ) as unknown as Query
      const getA = cacheAside(settings)((_: Id) =>
        Effect.flatMap(Scope.provide(connect("a"), scope), (opened) => {
          connection = opened
          return lazily
        })
      )
      const first = yield* Effect.forkChild(
        world.client
          .run(getA(one) as Effect.Effect<string, never, CacheServices>)
          .pipe(Effect.provideService(Connection, undefined as never), Scope.provide(scope)),
        { startImmediately: true }
      )
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* Scope.close(scope, Exit.void)
      yield* begun(2)
      yield* go(2)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], ["b", "b"])
    }))

  test("a loader that throws, or has no effect to give, when it begins again", (world) =>
    Effect.gen(function*() {
      const { begun, query } = makeQuery()
      let loads = 0
      const get = cacheAside(settings)((_: Id) => {
        if (++loads > 1) throw new Error("thrown")
        return query
      })
      const first = yield* caller(world, "a", get(one))
      yield* begun(1)
      const others = yield* Effect.forEach(["b", "c"], (name) => caller(world, name, get(one)))
      yield* Fiber.interrupt(first)
      for (const fiber of others) {
        const exit = yield* Fiber.await(fiber)
        assert.include(String(exit), "thrown")
      }
      assert.strictEqual(loads, 2)
    }))

  test("all leave in one turn: no load begins for nobody", (world) =>
    Effect.gen(function*() {
      const { begun, query, state } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const callers = yield* Effect.forEach(Array.from("abcdefgh"), (name) => caller(world, name, get(one)))
      yield* begun(1)
      yield* Fiber.interruptAll(callers)
      yield* world.client.settle
      assert.deepStrictEqual([state.runs, state.ended], [1, 1])
    }))

  for (const when of ["before the next run has begun", "while the next run goes on"]) {
    test(`the client is closed ${when}`, (world) =>
      Effect.gen(function*() {
        const { begun, query, state } = makeQuery()
        const get = cacheAside(settings)((_: Id) => query)
        const a = yield* staying(world, "a", get(one))
        yield* begun(1)
        const b = yield* caller(world, "b", get(one))
        yield* a.close
        if (when !== "before the next run has begun") yield* begun(2)
        yield* world.close
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(a.fiber)))
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(b)))
        assert.strictEqual(state.runs, state.ended)
      }))
  }
}

export const inTheStore = (test: Test): void => {
  test("invalidated during the first run: not stored, for it counts from then", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      const get = cacheAside({ ...settings, tags: ["t"] })((_: Id) => query)
      const first = yield* caller(world, "a", get(one))
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* world.client.run(invalidateTags(["t"]))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(second), "b")
      assert.deepStrictEqual(yield* world.client.run(get.peek(one)), Option.none())
    }))

  test("a run that was broken off counts as a load that failed", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const first = yield* caller(world, "a", get(one))
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(2)
      yield* Fiber.join(second)
      const { regions } = yield* world.client.run(CacheClient.use((client) => client.stats))
      const counts = regions.find(({ region }) => region === settings.key)
      assert.deepStrictEqual([counts?.loads, counts?.loadFailures], [2, 1])
    }))

  test("a refresh", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const callers = []
      for (const name of ["a", "b"]) {
        const call = world.client.run(get.refresh(one) as Effect.Effect<string, never, CacheServices>)
        callers.push(yield* Effect.forkChild(connected(name, call), { startImmediately: true }))
      }
      yield* begun(1)
      yield* Fiber.interrupt(callers[0]!)
      yield* begun(2)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(callers[1]!), "b")
      assert.strictEqual(state.runs, 2)
      yield* kept(world, get.peek(one), "b")
    }))

  test("a load within a load: both begin again", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery()
      const inner = cacheAside({ ...settings, key: "inner:{id}" })((_: Id) => query)
      const outer = cacheAside(settings)((id: Id) => Effect.map(inner(id), (text) => `outer of ${text}`))
      const first = yield* caller(world, "a", outer(one))
      yield* begun(1)
      const second = yield* caller(world, "b", outer(one))
      const third = yield* caller(world, "c", inner(one))
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* go(2)
      yield* go(3)
      const answers = [yield* Fiber.join(second), yield* Fiber.join(third)]
      assert.isFalse(
        answers.some((text) => text.includes("a")),
        String(answers)
      )
      assert.isAtMost(state.runs, 3)
    }))

  test("nothing stays in a scope that lives on", (world) =>
    Effect.gen(function*() {
      let loads = 0
      const get = cacheAside({ ...settings, ttl: "1 millis" })(({ id }: Id) =>
        Effect.andThen(
          Effect.sync(() => ++loads),
          Effect.andThen(
            Effect.yieldNow,
            Number(id) % 3 === 0 ? Effect.fail(id) : Number(id) % 3 === 1 ? Effect.die(id) : Effect.succeed(id)
          )
        )
      )
      const scope = yield* Scope.make()
      for (let i = 0; i < 100; i++) {
        // Each is shared with one who has another scope.
        const calls = Array.from({ length: 100 }, (_, j) => {
          const call = Effect.exit(world.client.run(get({ id: `${i * 100 + j}` })))
          return Effect.all([Scope.provide(call, scope), Effect.scoped(call)], { concurrency: "unbounded" })
        })
        yield* Effect.all(calls, { concurrency: "unbounded" })
      }
      assert.isAtLeast(loads, 10_000)
      assert.strictEqual(scope.state._tag, "Empty")
      // Also of those who left, and of loads that began again.
      const { begun, open: go, query } = makeQuery()
      const slow = cacheAside({ ...settings, key: "slow" })(query)
      const first = yield* caller(world, "a", slow)
      yield* begun(1)
      const connection = yield* connect("b")
      const call = world.client.run(slow as Effect.Effect<string, never, CacheServices>)
      const second = yield* Effect.forkChild(
        Scope.provide(Effect.provideService(call, Connection, connection), scope),
        { startImmediately: true }
      )
      const third = yield* caller(world, "c", slow)
      yield* Fiber.interrupt(first)
      yield* begun(2)
      yield* world.client.settle
      assert.notStrictEqual(scope.state._tag, "Empty")
      yield* Fiber.interrupt(second)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(third), "b")
      assert.strictEqual(scope.state._tag, "Empty")
    }))
}
