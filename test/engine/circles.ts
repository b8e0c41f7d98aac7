/**
 * Loads and writes that need each other: each ends as it would without a cache, and leaves nothing behind. Each ring is asked
 * for at all its places at once, and all of them have begun before the first goes on.
 */
import { assert, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheRegion,
  type CacheServices,
  memoize,
  stampedeProtect,
  writeThrough
} from "effect-cache"
import { type Client, makeGate } from "../support/client.ts"

type Wrapped<R> = (id: string) => Effect.Effect<string, unknown, R>

/** How a place of a ring is cached. */
type Wrap = (name: string, load: (id: string) => Effect.Effect<string, unknown>) => Wrapped<CacheServices>

const settingsOf = (name: string) => ({ key: `${name}:{0}`, schema: Schema.String, ttl: "1 minute" }) as const

const patterns: Record<string, Wrap> = {
  cacheAside: (name, load) => cacheAside(settingsOf(name))(load),
  stampedeProtect: (name, load) => stampedeProtect(settingsOf(name))(load),
  memoize: (name, load) => memoize({ name, ttl: "1 minute" })(load),
  writeThrough: (name, load) => writeThrough(CacheRegion.make(settingsOf(name)))(load),
  refresh: (name, load) => cacheAside(settingsOf(name))(load).refresh
}

/** What was asked for on the way here: a program that asks in circles ends them itself, as it must without a cache. */
const Way = Context.Reference<ReadonlyArray<string>>("test/Way", { defaultValue: () => [] })

/** Place `i` of the ring needs the next one. */
const ring = (names: ReadonlyArray<string>, clients: ReadonlyArray<Client>, label: string) =>
  Effect.gen(function*() {
    const size = names.length
    const begun = new Set<number>()
    const all = yield* Deferred.make<void>()
    const places: Array<Wrapped<never>> = names.map((name, i) => {
      const wrapped = patterns[name]!(`${label}-${i}`, (id) =>
        Effect.gen(function*() {
          const way = yield* Way
          if (!begun.has(i)) {
            begun.add(i)
            if (begun.size === size) yield* Deferred.succeed(all, undefined)
            yield* Deferred.await(all)
          }
          const next = (i + 1) % size
          if (way.includes(`${next}`)) return `${i}`
          const below = yield* Effect.provideService(places[next]!(id), Way, [...way, `${i}`])
          return `${i}${below}`
        })
      )
      return (id) => clients[i % clients.length]!.run(wrapped(id))
    })
    const found = yield* Effect.all(
      places.map((place) => place("x")),
      { concurrency: "unbounded" }
    )
    for (const [i, text] of found.entries()) {
      assert.isTrue(text.startsWith(`${i}${(i + 1) % size}`), `place ${i} got ${text}`)
    }
    // Nobody is in the way of those who come later.
    const again = yield* Effect.all(places.map((place) => place("x")))
    for (const [i, text] of again.entries()) assert.isTrue(text.startsWith(`${i}`))
    for (const { inFlight } of clients) assert.strictEqual(yield* inFlight, 0)
  })

export const circles = (open: Effect.Effect<readonly [Client, Client], unknown, Scope.Scope>): void => {
  const rings: ReadonlyArray<readonly [names: ReadonlyArray<string>, clients: number]> = [
    ...Object.keys(patterns).map((name) => [[name, name], 1] as const),
    [["cacheAside", "stampedeProtect", "memoize"], 1],
    [["stampedeProtect", "stampedeProtect"], 2],
    [["writeThrough", "stampedeProtect"], 1],
    [["writeThrough", "stampedeProtect", "writeThrough", "cacheAside", "stampedeProtect"], 1],
    [["writeThrough", "stampedeProtect", "cacheAside", "stampedeProtect", "memoize"], 2],
    [["refresh", "stampedeProtect", "refresh"], 2]
  ]
  for (const [names, count] of rings) {
    it.live(`a ring of ${names.join(", ")}${count === 1 ? "" : `, through ${count} clients`}`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const clients = yield* open
          yield* ring(names, clients.slice(0, count), names.join("-"))
        })
      )
    )
  }

  it.live("two writes that read each other's key", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a, b] = yield* open
        const rows: Record<string, number> = { a: 100, b: 100 }
        const region = CacheRegion.make({ key: "account:{id}", schema: Schema.Number, ttl: "1 minute" })
        const begun = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
        const get = stampedeProtect({ key: "account:{id}", schema: Schema.Number, ttl: "1 minute" })(
          ({ id }: { readonly id: string }) => Effect.sync(() => rows[id]!)
        )
        const take = writeThrough(region)(
          ({ from, id, place }: { readonly id: string; readonly from: string; readonly place: 0 | 1 }) =>
            Effect.gen(function*() {
              yield* Deferred.succeed(begun[place], undefined)
              yield* Deferred.await(begun[1 - place]!)
              const other = yield* get({ id: from })
              return (rows[id] = rows[id]! + Math.min(10, other))
            })
        )
        const both = [a.run(take({ id: "a", from: "b", place: 0 })), b.run(take({ id: "b", from: "a", place: 1 }))]
        assert.deepStrictEqual(yield* Effect.all(both, { concurrency: "unbounded" }), [110, 110])
      })
    )
  )

  it.effect("who is late where a newer load waits for it loads for itself", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [client] = yield* open
        const [first, second] = [makeGate<string>(), yield* Deferred.make<void>()]
        let loads = 0
        const inner = stampedeProtect({ ...settingsOf("late-inner"), waitTimeout: "1 minute" })(
          (id: string): Effect.Effect<string, unknown> =>
            Effect.suspend(() => {
              loads++
              if (loads === 1) return first.pass("old")
              if (loads > 2) return Effect.succeed("own")
              return Effect.andThen(Deferred.succeed(second, undefined), client.run(outer(id)))
            })
        )
        const outer: Wrapped<CacheServices> = stampedeProtect({ ...settingsOf("late-outer"), waitTimeout: "1 hour" })(
          (id: string) => Effect.map(client.run(inner(id)), (text) => `outer of ${text}`)
        )
        const hanging = yield* Effect.forkChild(client.run(inner("x")))
        yield* first.reached
        const late = yield* Effect.forkChild(client.run(outer("x")))
        yield* client.settle
        yield* client.run(inner.invalidate("x"))
        const newer = yield* Effect.forkChild(client.run(inner("x")))
        yield* Deferred.await(second)
        yield* client.settle
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Fiber.join(late), "outer of own")
        assert.strictEqual(yield* Fiber.join(newer), "outer of own")
        yield* first.open
        assert.strictEqual(yield* Fiber.join(hanging), "old")
        assert.strictEqual(yield* client.inFlight, 0)
      })
    )
  )

  /** A program that ends its circles itself: `name` does what is to come before, then asks for the next place. */
  const placeOf =
    (client: Client) =>
    (
      name: string,
      nextName: string,
      next: () => Wrapped<CacheServices>,
      before: Effect.Effect<unknown> = Effect.void
    ): Wrapped<CacheServices> =>
      cacheAside(settingsOf(name))((id: string) =>
        Effect.gen(function*() {
          const way = yield* Way
          yield* before
          if (way.includes(nextName)) return name
          return name + (yield* Effect.provideService(client.run(next()(id)), Way, [...way, name]))
        })
      )

  /** The first waits at its gate until the second waits for it, and only then asks for what leads to the second. */
  const closing = (
    makePlaces: (
      place: ReturnType<typeof placeOf>,
      label: string,
      gate: Effect.Effect<unknown>
    ) => readonly [Wrapped<CacheServices>, Wrapped<CacheServices>],
    meanwhile: (client: Client) => Effect.Effect<unknown, unknown> = () => Effect.void
  ) =>
    Effect.scoped(
      Effect.gen(function*() {
        const [client] = yield* open
        const gate = makeGate<string>()
        const [first, second] = makePlaces(placeOf(client), "closing", gate.pass(""))
        const one = yield* Effect.forkChild(client.run(first("x")))
        yield* gate.reached
        const two = yield* Effect.forkChild(client.run(second("x")))
        yield* client.settle
        yield* meanwhile(client)
        yield* gate.open
        yield* Fiber.join(one)
        yield* Fiber.join(two)
        assert.strictEqual(yield* client.inFlight, 0)
      })
    )

  it.live("a load that asks at once, as soon as it was started, for what waits for who started it", () =>
    closing((place, label, gate) => {
      const o: Wrapped<CacheServices> = place(`${label}-o`, `${label}-k`, () => k, gate)
      const k: Wrapped<CacheServices> = place(`${label}-k`, `${label}-x`, () => x)
      const x: Wrapped<CacheServices> = place(`${label}-x`, `${label}-o`, () => o)
      return [o, x]
    })
  )

  it.live("a load that waits at once, as soon as it was started, for an older one that waits for who started it", () =>
    closing(
      (place, label, gate) => {
        const o: Wrapped<CacheServices> = place(`${label}-o`, `${label}-k`, () => k, gate)
        const k: Wrapped<CacheServices> = place(`${label}-k`, `${label}-o`, () => o)
        return [o, k]
      },
      (client) => client.run(CacheClient.use((cache) => cache.invalidateTags(["any"])))
    )
  )

  it.effect("who is late loads again, and that load asks at once for what waits for who is late", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [client] = yield* open
        const hang = makeGate<string>()
        const patient = (name: string, load: (id: string) => Effect.Effect<string, unknown>) =>
          stampedeProtect({ ...settingsOf(name), waitTimeout: "1 hour" })(load)
        let ks = 0
        const k: Wrapped<CacheServices> = stampedeProtect({ ...settingsOf("late-k"), waitTimeout: "1 minute" })(
          (id: string): Effect.Effect<string, unknown> =>
            Effect.suspend(() => (++ks === 1 ? hang.pass("old") : client.run(x(id))))
        )
        const o = patient("late-o", (id) => client.run(k(id)))
        let xs = 0
        const x = patient("late-x", (id) =>
          Effect.suspend(() => (++xs === 1 ? client.run(o(id)) : Effect.succeed("end")))
        )
        const hanging = yield* Effect.forkChild(client.run(k("1")))
        yield* hang.reached
        const first = yield* Effect.forkChild(client.run(o("1")))
        yield* client.settle
        const second = yield* Effect.forkChild(client.run(x("1")))
        yield* client.settle
        yield* TestClock.adjust("1 minute")
        for (let i = 0; i < 20 && second.pollUnsafe() === undefined; i++) {
          yield* client.settle
          yield* TestClock.adjust("1 second")
        }
        assert.isDefined(first.pollUnsafe(), "who was late does not end")
        assert.isDefined(second.pollUnsafe())
        yield* hang.open
        yield* Fiber.join(hanging)
        assert.strictEqual(yield* client.inFlight, 0)
      })
    )
  )
}
