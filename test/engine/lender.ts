/**
 * Whose context a shared load runs in, when the scope of the one who lent his closes while others wait.
 */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Scope } from "effect"
import { cacheAside, type CacheServices, memoize, stampedeProtect } from "effect-cache"
import { connect, connected, Connection, makeQuery } from "../support/connections.ts"
import { caller, type Id, kept, one, type Query, settings, staying, type Test, type World } from "../support/lenders.ts"
import { until } from "../support/until.ts"
import { inTheStore, loaders } from "./lenderLoaders.ts"

export const lenders = (open: Effect.Effect<World, unknown, Scope.Scope>, isAway = false): void => {
  const test: Test = (name, body) => {
    it.live(name, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const world = yield* open
          yield* body(world)
          // Beside a store that is away nothing takes a trip, so what ends in the next turn may still be there.
          yield* until(Effect.map(world.client.inFlight, (inFlight) => inFlight === 0))
        })
      )
    )
  }

  const patterns = {
    cacheAside: (query: Query) => cacheAside(settings)((_: Id) => query),
    stampedeProtect: (query: Query) => stampedeProtect(settings)((_: Id) => query),
    memoize: (query: Query) => memoize({ name: "row", ttl: "1 minute" })((_: Id) => query)
  }
  for (const [name, wrap] of Object.entries(patterns)) {
    for (const quiet of [false, true]) {
      const what = quiet ? "still answers" : "fails what is under way"
      test(`${name}: the first of 1,000 hangs up, and its connection ${what}: 999 answers, none from that`, (world) =>
        Effect.gen(function*() {
          const { begun, open: go, query, state } = makeQuery({ quiet })
          const get = wrap(query)
          const callers = []
          for (let i = 0; i < 1000; i++) {
            const call = world.client.run(get(one) as Effect.Effect<string, never, CacheServices>)
            callers.push(yield* Effect.forkChild(connected(`${i}`, call), { startImmediately: true }))
          }
          yield* begun(1)
          yield* Fiber.interrupt(callers[0]!)
          yield* begun(2)
          yield* go(1)
          yield* go(2)
          const answers = yield* Effect.forEach(callers.slice(1), (fiber) => Fiber.join(fiber))
          assert.deepStrictEqual([answers.length, ...new Set(answers)], [999, "1"])
          assert.deepStrictEqual([state.runs, state.ended], [2, 2])
          // It is stored: a further call does not load.
          assert.strictEqual(yield* Fiber.join(yield* caller(world, "late", get(one))), "1")
        }))
    }
  }

  test("lender after lender leaves", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const callers = yield* Effect.forEach(Array.from("abcdef"), (name) => caller(world, name, get(one)))
      for (let i = 0; i < 5; i++) {
        yield* begun(i + 1)
        yield* Fiber.interrupt(callers[i]!)
      }
      yield* begun(6)
      yield* go(6)
      assert.strictEqual(yield* Fiber.join(callers[5]!), "f")
      assert.deepStrictEqual([state.runs, state.ended], [6, 6])
      yield* kept(world, get.peek(one), "f")
    }))

  test("the scope closes first, and its caller still waits: it has the answer of the others", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const a = yield* staying(world, "a", get(one))
      yield* begun(1)
      const b = yield* caller(world, "b", get(one))
      const c = yield* caller(world, "c", get(one))
      yield* a.close
      yield* begun(2)
      // Then it leaves, or not.
      yield* Fiber.interrupt(c)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(a.fiber), "b")
      assert.strictEqual(yield* Fiber.join(b), "b")
    }))

  test("nobody else waits: the load goes on, and who comes then begins it again", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery({ quiet: true })
      const get = cacheAside(settings)((_: Id) => query)
      const a = yield* staying(world, "a", get(one))
      yield* begun(1)
      yield* a.close
      yield* world.client.settle
      assert.deepStrictEqual([state.runs, state.ended], [1, 0])
      const b = yield* caller(world, "b", get(one))
      yield* begun(2)
      yield* go(2)
      assert.deepStrictEqual([yield* Fiber.join(a.fiber), yield* Fiber.join(b)], ["b", "b"])
    }))

  test("a caller whose scope had closed before it called", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery({ quiet: true })
      const get = cacheAside(settings)((_: Id) => query)
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(connect("a"), scope)
      yield* Scope.close(scope, Exit.void)
      const late = Effect.forkChild(
        world.client
          .run(get(one) as Effect.Effect<string, never, CacheServices>)
          .pipe(Effect.provideService(Connection, connection), Scope.provide(scope)),
        { startImmediately: true }
      )
      // Alone it has what it asked for.
      const alone = yield* late
      yield* begun(1)
      yield* go(1)
      assert.strictEqual(yield* Fiber.join(alone), "a, closed")
      if (world.isAway === true) return
      yield* world.client.run(get.invalidate(one))
      const first = yield* late
      yield* begun(2)
      const b = yield* caller(world, "b", get(one))
      yield* begun(3)
      yield* go(3)
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(b)], ["b", "b"])
    }))

  test("the scopes of all who wait have closed: the oldest's context is used", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery({ quiet: true })
      const get = cacheAside(settings)((_: Id) => query)
      const a = yield* caller(world, "a", get(one))
      yield* begun(1)
      const b = yield* staying(world, "b", get(one))
      const c = yield* staying(world, "c", get(one))
      yield* b.close
      yield* c.close
      yield* Fiber.interrupt(a)
      yield* begun(2)
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(b.fiber), "b, closed")
      assert.strictEqual(yield* Fiber.join(c.fiber), "b, closed")
      assert.strictEqual(state.runs, 2)
    }))

  test("one whose scope is open goes before an older one whose scope has closed", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query } = makeQuery({ quiet: true })
      const get = cacheAside(settings)((_: Id) => query)
      const a = yield* caller(world, "a", get(one))
      yield* begun(1)
      const b = yield* staying(world, "b", get(one))
      const c = yield* caller(world, "c", get(one))
      yield* b.close
      yield* Fiber.interrupt(a)
      yield* begun(2)
      yield* go(2)
      assert.deepStrictEqual([yield* Fiber.join(b.fiber), yield* Fiber.join(c)], ["c", "c"])
    }))

  test("a context without a scope is used to the end", (world) =>
    Effect.gen(function*() {
      const { begun, open: go, query, state } = makeQuery({ quiet: true })
      const get = cacheAside(settings)((_: Id) => query)
      const first = yield* Effect.forkChild(
        Effect.scoped(
          Effect.flatMap(connect("a"), (connection) =>
            Effect.updateContext(
              world.client.run(get(one) as Effect.Effect<string, never, CacheServices>),
              (context: Context.Context<never>) =>
                Context.omit(Scope.Scope)(Context.add(context, Connection, connection) as never) as never
            )
          )
        ),
        { startImmediately: true }
      )
      yield* begun(1)
      const second = yield* caller(world, "b", get(one))
      yield* Fiber.interrupt(first)
      yield* go(1)
      assert.strictEqual(yield* Fiber.join(second), "a, closed")
      assert.strictEqual(state.runs, 1)
    }))

  loaders(test)
  if (!isAway) inTheStore(test)
}
