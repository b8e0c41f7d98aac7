/**
 * One load a key in a process, two at most, whatever is invalidated meanwhile.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, type Scope } from "effect"
import { cacheAside, invalidateKey, invalidateTags, memoize, stampedeProtect, writeThrough } from "effect-cache"
import type { Client } from "../support/client.ts"
import { until } from "../support/until.ts"

const settings = { key: "hot:{id}", schema: Schema.Number, ttl: "1 minute" } as const
type Id = { readonly id: string }
const one: Id = { id: "1" }

/** A loader of which the first run waits for a gate, and all others for another; counts how often it runs, and how often at once. */
const probe = () => {
  const gates = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()] as const
  const seen = { all: 0, now: 0, most: 0 }
  const load = (_: Id): Effect.Effect<number> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        seen.most = Math.max(seen.most, ++seen.now)
        return ++seen.all
      }),
      (run) => Effect.as(Deferred.await(gates[run === 1 ? 0 : 1]), run),
      () => Effect.sync(() => seen.now--)
    )
  const openFirst = Deferred.succeed(gates[0], undefined)
  return { load, seen, openFirst, open: Effect.andThen(openFirst, Deferred.succeed(gates[1], undefined)) }
}

/** Each call when the one before it has gone as far as it can, with `between` after it. */
const callsOf = Effect.fnUntraced(function*(
  client: Client,
  call: Effect.Effect<number, unknown>,
  count: number,
  between: Effect.Effect<unknown, unknown> = Effect.void
) {
  const fibers = []
  for (let i = 0; i < count; i++) {
    fibers.push(yield* Effect.forkChild(call))
    yield* client.settle
    yield* between
  }
  return fibers
})

/** `b` is another process with the same store, where there is one. */
export const oneLoad = (
  open: Effect.Effect<readonly [a: Client, b?: Client], unknown, Scope.Scope>,
  processes: 1 | 2
): void => {
  type Load = (_: Id) => Effect.Effect<number>
  const patterns = {
    cacheAside: (load: Load) => cacheAside(settings)(load),
    stampedeProtect: (load: Load) => stampedeProtect({ ...settings, waitTimeout: "1 hour" })(load),
    memoize: (load: Load) => memoize({ name: "hot", ttl: "1 minute" })(load)
  }
  for (const [name, wrap] of Object.entries(patterns)) {
    it.live(`${name}: one load while unrelated tags are invalidated`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const [a] = yield* open
          const { load, open: go, seen } = probe()
          const get = a.run(wrap(load)(one))
          const fibers = yield* callsOf(a, get, 20, a.run(invalidateTags(["unrelated"])))
          yield* go
          for (const fiber of fibers) assert.strictEqual(yield* Fiber.join(fiber), 1)
          assert.deepStrictEqual([seen.all, seen.most], [1, 1])
          assert.strictEqual(yield* a.inFlight, 0)
        })
      )
    )
  }

  it.live(
    "two loads at once while the key itself is invalidated, and each reads what is newer than its invalidation",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const [a] = yield* open
          const { load, open: go, seen } = probe()
          const cached = cacheAside(settings)(load)
          const fibers = yield* callsOf(a, a.run(cached(one)), 20, a.run(invalidateKey("hot:1")))
          assert.deepStrictEqual([seen.all, seen.most], [2, 2])
          yield* go
          const found = []
          for (const fiber of fibers) found.push(yield* Fiber.join(fiber))
          // The first before any invalidation, the second after one; all others came in anew when one had ended.
          assert.deepStrictEqual(found.slice(0, 2), [1, 2])
          for (const run of found.slice(2)) assert.isAtLeast(run, 3)
          assert.isAtMost(seen.most, 2)
          assert.strictEqual(yield* a.inFlight, 0)
        })
      )
  )

  it.live("refreshes without end are two at once", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a] = yield* open
        const { load, open: go, seen } = probe()
        const fibers = yield* callsOf(a, a.run(cacheAside(settings)(load).refresh(one)), 20)
        assert.strictEqual(seen.all, 2)
        yield* go
        for (const fiber of fibers) yield* Fiber.join(fiber)
        assert.isAtMost(seen.most, 2)
        assert.strictEqual(yield* a.inFlight, 0)
      })
    )
  )

  const holders = {
    "another process": cacheAside(settings),
    "a write": writeThrough(settings)
  }
  for (const [name, wrap] of Object.entries(holders)) {
    // In memory there is one process.
    if (processes === 1 && name === "another process") continue
    it.live(`while ${name} holds the lease, too`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const [a, b = a] = yield* open
          const elsewhere = probe()
          const { load, open: go, openFirst, seen } = probe()
          const holder = yield* Effect.forkChild(b.run(wrap(elsewhere.load)(one)))
          yield* b.settle
          const get = a.run(cacheAside(settings)(load)(one))
          const fibers = yield* callsOf(a, get, 20, b.run(invalidateTags(["unrelated"])))
          yield* openFirst
          yield* a.settle
          yield* go
          // Nothing is stored, so those who came after an invalidation share a load of their own, after the first.
          const found = []
          for (const fiber of fibers) found.push(yield* Fiber.join(fiber))
          assert.deepStrictEqual(found, [1, ...Array.from({ length: 19 }, () => 2)])
          assert.deepStrictEqual([seen.all, seen.most], [2, 1])
          yield* elsewhere.open
          yield* Fiber.join(holder)
        })
      )
    )
  }

  it.live("a load that hangs is taken over a lease later, also where who waits for it fails", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a] = yield* open
        const { load, open: go, seen } = probe()
        const get = a.run(
          stampedeProtect({ ...settings, lockTtl: "50 millis", waitTimeout: "20 millis", onTimeout: "fail" })(load)(one)
        )
        const hanging = yield* Effect.forkChild(get)
        yield* a.settle
        // Each waits, and fails, until one takes the lease over.
        const taking = yield* Effect.forkChild(Effect.retry(get, { while: () => seen.all < 2 }))
        yield* until(Effect.sync(() => seen.all === 2))
        yield* go
        yield* Fiber.join(hanging)
        assert.strictEqual(yield* Fiber.join(taking), 2)
        assert.strictEqual(yield* get, 2)
      })
    )
  )

  it.live("of two loads that hang one is taken over, and what others load is stored again", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [a] = yield* open
        const hang = Deferred.makeUnsafe<void>()
        let loads = 0
        const load = (_: Id) =>
          Effect.suspend(() => (++loads <= 2 ? Effect.as(Deferred.await(hang), -1) : Effect.succeed(loads)))
        const get = a.run(stampedeProtect({ ...settings, lockTtl: "50 millis", waitTimeout: "20 millis" })(load)(one))
        const first = yield* Effect.forkChild(get)
        yield* a.settle
        const second = yield* Effect.forkChild(get)
        yield* until(Effect.sync(() => loads === 2))
        // Each of these waits for its turn; the value of one of them stays.
        yield* until(
          Effect.gen(function*() {
            const before = yield* get
            return (yield* get) === before
          })
        )
        yield* Deferred.succeed(hang, undefined)
        assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [-1, -1])
        assert.isAbove(yield* get, 2)
        assert.strictEqual(yield* a.inFlight, 0)
      })
    )
  )
}
