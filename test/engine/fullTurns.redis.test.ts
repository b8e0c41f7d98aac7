/**
 * A full Redis refuses leases, so nobody is known to hold one: who waits for a load shares the next, and does not load in turn.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, freshNamespace, makeGate, sharedRedis } from "../support/client.ts"
import { TcpProxy } from "../support/proxy.ts"

const server = sharedRedis()

const settings = { key: "hot", schema: Schema.Number, ttl: "1 minute" } as const

/** A client of a server that has no room, at the end of a line that takes so many milliseconds. */
const withFull = <A, E>(body: (client: Client) => Effect.Effect<A, E, Scope.Scope>, delayMillis?: number) =>
  Effect.scoped(
    Effect.gen(function*() {
      const running = yield* server
      const admin = yield* adminOf(running)
      const proxy = yield* TcpProxy.scoped({ port: running.port })
      const url = `redis://127.0.0.1:${proxy.port}`
      const client = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }))
      yield* client.settle
      if (delayMillis !== undefined) proxy.delay(delayMillis)
      yield* Effect.acquireRelease(
        Effect.promise(() => admin.config("SET", "maxmemory", "1")),
        () => Effect.promise(() => admin.config("SET", "maxmemory", "0"))
      )
      yield* Effect.scoped(body(client))
      assert.strictEqual(yield* client.inFlight, 0)
    })
  )

/** What was asked for is sent. */
const turn = Effect.promise(() => new Promise((done) => setImmediate(() => setImmediate(done))))

/** Calls `get` so often, each when the one before waits. */
const calls = <A, E>(client: Client, get: Effect.Effect<A, E>, count: number) =>
  Effect.replicateEffect(
    Effect.tap(Effect.forkChild(Effect.exit(get)), () => client.settle),
    count
  )

for (const [name, wrap] of [
  ["cacheAside", cacheAside(settings)],
  ["stampedeProtect", stampedeProtect({ ...settings, waitTimeout: "1 hour" })]
] as const) {
  it.live(`on a full Redis callers of ${name} who come during a load share the next`, () =>
    withFull((client) =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        let loads = 0
        const get = client.run(
          wrap(Effect.suspend(() => (++loads === 1 ? gate.pass(1) : Effect.delay(Effect.succeed(2), 20))))
        )
        const first = yield* Effect.forkChild(get)
        yield* gate.reached
        const others = yield* calls(client, get, 20)
        assert.strictEqual(loads, 1)
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), 1)
        for (const other of others) assert.deepStrictEqual(yield* Fiber.join(other), Exit.succeed(2))
        assert.strictEqual(loads, 2)
      })
    )
  )
}

it.live("who waits for a load on a full Redis loads next, also when others come at its end", () =>
  withFull(
    (client) =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        const others: Array<Fiber.Fiber<number, unknown>> = []
        let loads = 0
        const get: Effect.Effect<number, unknown> = client.run(
          cacheAside(settings)(
            Effect.suspend(() => {
              const load = ++loads
              if (load === 1) return gate.pass(load)
              // Its look is under way when this load ends.
              if (load < 10) others.push(Effect.runFork(get))
              return Effect.delay(Effect.succeed(load), 10)
            })
          )
        )
        const first = yield* Effect.forkChild(get)
        yield* gate.reached
        const [waiting] = yield* calls(client, get, 1)
        others.push(Effect.runFork(get))
        yield* turn
        yield* gate.open
        assert.strictEqual(yield* Fiber.join(first), 1)
        assert.deepStrictEqual(yield* Fiber.join(waiting!), Exit.succeed(2))
        for (const other of others) yield* Fiber.join(other)
      }),
    8
  )
)

for (const onTimeout of ["load", "fail"] as const) {
  const wrap = stampedeProtect({ ...settings, waitTimeout: "1 minute", onTimeout })

  it.effect(`who waited on a full Redis may then load for longer than it waits for others (${onTimeout})`, () =>
    withFull((client) =>
      Effect.gen(function*() {
        const gates = [makeGate<number>(), makeGate<number>()]
        let loads = 0
        const get = client.run(wrap(Effect.suspend(() => gates[loads]!.pass(++loads))))
        const first = yield* Effect.forkChild(get)
        yield* gates[0]!.reached
        const others = yield* calls(client, get, 5)
        yield* TestClock.adjust("50 seconds")
        yield* gates[0]!.open
        assert.strictEqual(yield* Fiber.join(first), 1)
        yield* gates[1]!.reached
        yield* TestClock.adjust("1 hour")
        yield* gates[1]!.open
        for (const other of others) assert.deepStrictEqual(yield* Fiber.join(other), Exit.succeed(2))
      })
    )
  )
}

const impatient = stampedeProtect({ ...settings, waitTimeout: "1 minute" })

for (const [name, count, apart] of [
  ["at once", 600, 0],
  ["one after another", 20, 1]
] as const) {
  it.effect(`who has waited for too long on a full Redis shares one load more: ${count} ${name}`, () =>
    withFull((client) =>
      Effect.gen(function*() {
        const gates = [makeGate<number>(), makeGate<number>()]
        let loads = 0
        const get = client.run(impatient(Effect.suspend(() => gates[loads]!.pass(++loads))))
        const first = yield* Effect.forkChild(get)
        yield* gates[0]!.reached
        const others: Array<Fiber.Fiber<unknown, unknown>> = []
        for (let i = 0; i < count; i++) {
          others.push(yield* Effect.forkChild(get))
          if (apart === 0) continue
          yield* client.settle
          yield* TestClock.adjust(apart * 1_000)
        }
        yield* client.settle
        for (let i = 0; i < 60; i++) {
          yield* TestClock.adjust("1 second")
          if (apart > 0) yield* client.settle
        }
        yield* gates[1]!.reached
        yield* TestClock.adjust("10 minutes")
        yield* client.settle
        assert.strictEqual(loads, 2)
        yield* gates[1]!.open
        for (const other of others) assert.strictEqual(yield* Fiber.join(other), 2)
        yield* gates[0]!.open
        yield* Fiber.join(first)
      })
    )
  )
}

it.effect(
  "who has waited for too long does not wait anew where the load that it shares fails for another function",
  () =>
    withFull((client) =>
      Effect.gen(function*() {
        const gate = makeGate<number>()
        let loads = 0
        const failing = client.run(
          impatient(
            Effect.suspend((): Effect.Effect<number, string> => (++loads === 1 ? gate.pass(1) : Effect.fail("no")))
          )
        )
        const first = yield* Effect.forkChild(failing)
        yield* gate.reached
        const [fails] = yield* calls(client, failing, 1)
        const [other] = yield* calls(client, client.run(impatient(Effect.succeed(7))), 1)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Fiber.join(fails!), Exit.fail("no"))
        assert.deepStrictEqual(yield* Fiber.join(other!), Exit.succeed(7))
        yield* gate.open
        yield* Fiber.join(first)
      })
    )
)
