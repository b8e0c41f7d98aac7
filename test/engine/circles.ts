/**
 * Loads and writes that need each other: each ends as it would without a cache, and leaves nothing behind. Each ring is asked
 * for at all its places at once, and all of them have begun before the first goes on.
 */
import { assert, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { cacheAside, CacheRegion, type CacheServices, memoize, stampedeProtect, writeThrough } from "effect-cache"
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
}
