import { make } from "../../src/engine/locks.ts"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { CacheError, TimedOut } from "../../src/CacheError.ts"
import { makeMemoryPrimitivesWithState } from "../../src/stores/memory/primitives.ts"
import type { LockOptions, LockStore } from "../../src/services/LockManager.ts"

const defaultTtl = Duration.seconds(3)

/** A manager over memory, whose store each test may change. */
const setup = Effect.fnUntraced(function*(wrap: (store: LockStore) => LockStore = (store) => store) {
  const { locks, state } = yield* makeMemoryPrimitivesWithState({})
  const manager = make(wrap(locks), { defaultTtl })
  // A second process: the same store, a manager of its own, nothing wrapped.
  const other = make(locks, { defaultTtl })
  return { locks, state, manager, other }
})

const timedOut = (operation: string) =>
  Effect.fail(new CacheError({ reason: new TimedOut({ backend: "test", operation, millis: 1 }) }))

const start = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const reason = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const found = exit.cause.reasons[0]
  return found?._tag === "Fail" && found.error instanceof CacheError ? found.error.reason._tag : (found?._tag ?? "none")
}

describe("LockManager", () => {
  it.effect("one body at a time, in every manager, and fences that grow", () =>
    Effect.gen(function*() {
      const { manager, other, state } = yield* setup()
      let inside = 0
      let most = 0
      const fences: Array<number> = []
      const work = (index: number) =>
        (index % 2 === 0 ? manager : other).withLock("l")((lock) =>
          Effect.gen(function*() {
            most = Math.max(most, ++inside)
            fences.push(lock.fence)
            yield* Effect.sleep(20)
            inside--
          })
        )
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), (_, i) => start(work(i)))
      yield* TestClock.adjust("30 seconds")
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.strictEqual(most, 1)
      assert.strictEqual(fences.length, 20)
      assert.deepStrictEqual(
        fences,
        [...fences].sort((a, b) => a - b)
      )
      assert.strictEqual(new Set(fences).size, 20)
      assert.strictEqual(state.locks.size, 0)
    })
  )

  it.effect("other names are free, and the result, failure or defect of the body comes back", () =>
    Effect.gen(function*() {
      const { manager, state } = yield* setup()
      assert.strictEqual(yield* manager.withLock("a")(manager.withLock("b")(Effect.succeed(1))), 1)
      assert.strictEqual(yield* Effect.flip(manager.withLock("a")(Effect.fail("no"))), "no")
      assert.isTrue(
        Exit.hasDies(
          yield* Effect.exit(
            manager.withLock("a")((): Effect.Effect<never> => {
              throw new Error("bug")
            })
          )
        )
      )
      assert.strictEqual(state.locks.size, 0)
    })
  )

  it.effect("waiting ends with WaitTimeout; zero asks once", () =>
    Effect.gen(function*() {
      const { manager, other, state } = yield* setup()
      const holder = yield* start(manager.withLock("l")(Effect.never))
      assert.strictEqual(reason(yield* Effect.exit(other.withLock("l", { wait: 0 })(Effect.void))), "WaitTimeout")
      const waiter = yield* start(Effect.exit(other.withLock("l", { wait: "1 second" })(Effect.void)))
      yield* TestClock.adjust(999)
      assert.isUndefined(waiter.pollUnsafe())
      yield* TestClock.adjust(2)
      assert.strictEqual(reason(yield* Fiber.join(waiter)), "WaitTimeout")
      yield* Fiber.interrupt(holder)
      assert.strictEqual(state.locks.size, 0)
      assert.strictEqual(yield* other.withLock("l", { wait: 0 })(Effect.succeed(1)), 1)
    })
  )

  it.effect("renewal keeps the lock far beyond its TTL", () =>
    Effect.gen(function*() {
      const { manager, other } = yield* setup()
      const holder = yield* start(manager.withLock("l")(Effect.sleep("1 minute")))
      for (let i = 0; i < 59; i++) {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(reason(yield* Effect.exit(other.withLock("l", { wait: 0 })(Effect.void))), "WaitTimeout")
      }
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(holder)
    })
  )

  it.effect("a holder that died is followed by another within one TTL", () =>
    Effect.gen(function*() {
      const { locks, other } = yield* setup()
      // Nobody renews or releases this one.
      const fence = (yield* locks.acquire("l", "dead", 3000))!
      const next = yield* start(other.withLock("l")((lock) => Effect.succeed(lock.fence)))
      yield* TestClock.adjust(2999)
      assert.isUndefined(next.pollUnsafe())
      yield* TestClock.adjust(300)
      assert.isAbove(yield* Fiber.join(next), fence)
    })
  )

  it.effect("a refused renewal interrupts the body at once", () =>
    Effect.gen(function*() {
      const { locks, manager, state } = yield* setup()
      let interrupted = false
      const body = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
      const fiber = yield* start(Effect.exit(manager.withLock("l")(body)))
      const { token } = state.locks.get("l")!
      yield* locks.release("l", token)
      yield* locks.acquire("l", "thief", 60_000)
      yield* TestClock.adjust(1000)
      assert.strictEqual(reason(yield* Fiber.join(fiber)), "LockLost")
      assert.isTrue(interrupted)
      // The release compares tokens: the new holder keeps the lock.
      assert.strictEqual(state.locks.get("l")!.token, "thief")
    })
  )

  it.effect("renewal survives errors while validity lasts", () =>
    Effect.gen(function*() {
      let failing = 0
      const { manager } = yield* setup((store) => ({
        ...store,
        extend: (...args) => (failing-- > 0 ? timedOut("extend") : store.extend(...args))
      }))
      const fiber = yield* start(manager.withLock("l")(Effect.as(Effect.sleep("20 seconds"), "done")))
      for (let i = 0; i < 20; i++) {
        failing = 3
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    })
  )

  it.effect("the body is interrupted before the TTL ends when renewals fail, or hang", () =>
    Effect.gen(function*() {
      for (const extend of [() => timedOut("extend"), () => Effect.never]) {
        const { manager, other } = yield* setup((store) => ({ ...store, extend }))
        let endedAt = 0
        const body = Effect.onInterrupt(Effect.never, () =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            endedAt = now
          })
        )
        const begin = yield* Clock.currentTimeMillis
        const fiber = yield* start(Effect.exit(manager.withLock("l")(body)))
        const next = yield* start(other.withLock("l")(Clock.currentTimeMillis))
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(reason(yield* Fiber.join(fiber)), "LockLost")
        assert.isAtMost(endedAt - begin, 3000)
        assert.isAtLeast(endedAt - begin, 2900)
        assert.isAtLeast(yield* Fiber.join(next), endedAt)
      }
    })
  )

  it.effect("validity is counted from before the send", () =>
    Effect.gen(function*() {
      const { manager } = yield* setup((store) => ({
        ...store,
        // Granted at once by the store; the reply is slow.
        acquire: (...args) => Effect.tap(store.acquire(...args), () => Effect.sleep("1 second")),
        extend: (...args) => Effect.tap(store.extend(...args), () => Effect.sleep("1 second"))
      }))
      const scope = yield* Scope.make()
      const fiber = yield* start(Scope.provide(manager.acquire("l", { ttl: "6 seconds" }), scope))
      yield* TestClock.adjust("1 second")
      const lock = yield* Fiber.join(fiber)
      assert.strictEqual(yield* lock.remainingMillis, 4940)
      // The renewal is sent two seconds later, and its answer comes after one more.
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* lock.remainingMillis, 4940)
      yield* Scope.close(scope, Exit.void)
    })
  )

  it.effect("a lock whose answer came after its TTL is not taken for held", () =>
    Effect.gen(function*() {
      let slow = true
      const { manager, state } = yield* setup((store) => ({
        ...store,
        acquire: (...args) => Effect.tap(store.acquire(...args), () => (slow ? Effect.sleep("4 seconds") : Effect.void))
      }))
      const fiber = yield* start(manager.withLock("l")((lock) => lock.remainingMillis))
      yield* TestClock.adjust("3 seconds")
      slow = false
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 2970)
      assert.strictEqual(state.locks.size, 0)
    })
  )

  it.effect("a body that succeeds after the end of validity has lost the lock", () =>
    Effect.gen(function*() {
      const { manager } = yield* setup((store) => ({ ...store, extend: () => timedOut("extend") }))
      // It cannot be interrupted.
      const fiber = yield* start(Effect.exit(manager.withLock("l")(Effect.uninterruptible(Effect.sleep("4 seconds")))))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(reason(yield* Fiber.join(fiber)), "LockLost")
      // It blocks the event loop, so that no timer tells of the end.
      const clock = yield* Clock.Clock
      let blocked = 0n
      const monotonicTimeNanosUnsafe = () => clock.monotonicTimeNanosUnsafe() + blocked
      const exit = yield* Effect.exit(
        manager.withLock("l")(
          Effect.sync(() => {
            blocked = 4_000_000_000n
          })
        )
      ).pipe(
        Effect.provideService(Clock.Clock, {
          ...clock,
          monotonicTimeNanosUnsafe,
          monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe)
        })
      )
      assert.strictEqual(reason(exit), "LockLost")
    })
  )

  it.effect("an acquire whose outcome is unknown is released", () =>
    Effect.gen(function*() {
      const { manager, state } = yield* setup((store) => ({
        ...store,
        acquire: (...args) => Effect.andThen(store.acquire(...args), timedOut("acquire"))
      }))
      assert.strictEqual(reason(yield* Effect.exit(manager.withLock("l")(Effect.void))), "TimedOut")
      assert.strictEqual(state.locks.size, 0)
    })
  )

  it.effect("interruption leaves nothing: in the acquire, while waiting, in the body", () =>
    Effect.gen(function*() {
      const { locks, manager, other, state } = yield* setup((store) => ({
        ...store,
        acquire: (name, ...args) =>
          Effect.tap(store.acquire(name, ...args), () => (name === "slow" ? Effect.never : Effect.void))
      }))
      const acquiring = yield* start(manager.withLock("slow")(Effect.void))
      assert.strictEqual(state.locks.size, 1)
      yield* Fiber.interrupt(acquiring)
      assert.strictEqual(state.locks.size, 0)

      const holding = yield* start(manager.withLock("l")(Effect.never))
      const waiting = yield* start(other.withLock("l")(Effect.void))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(state.locks.size, 1)
      yield* Fiber.interrupt(holding)
      assert.strictEqual(state.locks.size, 0)
      // Nobody renews any more: a lock taken by hand ends.
      yield* locks.acquire("l", "x", 100)
      yield* TestClock.adjust(100)
      assert.isNumber(yield* locks.acquire("l", "y", 100))
    })
  )

  it.effect("a release that fails does not change the result, and renewal has ended", () =>
    Effect.gen(function*() {
      const { manager, other } = yield* setup((store) => ({ ...store, release: () => timedOut("release") }))
      assert.strictEqual(yield* manager.withLock("l")(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(manager.withLock("m")(Effect.fail("no"))), "no")
      const next = yield* start(other.withLock("l")(Effect.succeed(2)))
      yield* TestClock.adjust(3300)
      assert.strictEqual(yield* Fiber.join(next), 2)
      yield* Effect.scoped(manager.acquire("s"))
      const last = yield* start(other.withLock("s")(Effect.succeed(3)))
      yield* TestClock.adjust(3300)
      assert.strictEqual(yield* Fiber.join(last), 3)
    })
  )

  it.effect("acquire holds until its scope closes, and then stops renewing", () =>
    Effect.gen(function*() {
      const { manager, other, state } = yield* setup()
      const scope = yield* Scope.make()
      const lock = yield* Scope.provide(manager.acquire("l", { ttl: "1 second" }), scope)
      assert.strictEqual(lock.name, "l")
      assert.strictEqual(yield* lock.remainingMillis, 990)
      yield* TestClock.adjust("10 seconds")
      assert.isAbove(yield* lock.remainingMillis, 600)
      assert.strictEqual(reason(yield* Effect.exit(other.withLock("l", { wait: 0 })(Effect.void))), "WaitTimeout")
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(state.locks.size, 0)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* lock.remainingMillis, 0)
    })
  )

  it.effect("acquire that is lost says so, and does not free the next holder's lock", () =>
    Effect.gen(function*() {
      const { locks, manager, state } = yield* setup()
      const scope = yield* Scope.make()
      const lock = yield* Scope.provide(manager.acquire("l"), scope)
      yield* locks.release("l", state.locks.get("l")!.token)
      yield* locks.acquire("l", "thief", 60_000)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* lock.remainingMillis, 0)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(state.locks.get("l")!.token, "thief")
    })
  )

  it.effect("an acquire that is sent twice finds its own token", () =>
    Effect.gen(function*() {
      const { manager, state } = yield* setup((store) => ({
        ...store,
        acquire: (...args) => Effect.andThen(store.acquire(...args), store.acquire(...args))
      }))
      assert.strictEqual(yield* manager.withLock("l", { wait: 0 })((lock) => Effect.succeed(lock.fence)), 1)
      assert.strictEqual(state.locks.size, 0)
    })
  )

  it.effect("two fibers with the same seed still exclude each other", () =>
    Effect.gen(function*() {
      const { manager } = yield* setup()
      const seeded = Random.withSeed("same")
      const holder = yield* start(seeded(manager.withLock("l")(Effect.never)))
      assert.strictEqual(
        reason(yield* Effect.exit(seeded(manager.withLock("l", { wait: 0 })(Effect.void)))),
        "WaitTimeout"
      )
      yield* Fiber.interrupt(holder)
    })
  )

  it.effect("options out of range fail with InvalidOption, and take nothing", () =>
    Effect.gen(function*() {
      const { manager, state } = yield* setup()
      const bad: ReadonlyArray<LockOptions> = [
        { ttl: 0 },
        { ttl: -5 },
        { ttl: 9 },
        { ttl: Number.NaN },
        { ttl: Duration.infinity },
        { ttl: "soon" as "1 second" },
        { wait: -1 },
        { wait: "later" as "1 second" }
      ]
      for (const options of bad) {
        assert.strictEqual(reason(yield* Effect.exit(manager.withLock("l", options)(Effect.void))), "InvalidOption")
        assert.strictEqual(reason(yield* Effect.exit(Effect.scoped(manager.acquire("l", options)))), "InvalidOption")
      }
      assert.strictEqual(state.locks.size, 0)
      assert.strictEqual(
        reason(
          yield* Effect.exit(
            make(yield* Effect.map(setup(), ({ locks }) => locks), { defaultTtl: Duration.zero }).withLock("l")(
              Effect.void
            )
          )
        ),
        "InvalidOption"
      )
    })
  )
})
