/**
 * What every `LockStore` must do.
 */
import { Effect } from "effect"
import type { ConformanceStore, Script } from "./case.ts"
import { expect } from "./expect.ts"
import type { Recorded } from "./record.ts"
import { hostile } from "./values.ts"

const lockCase = (
  name: string,
  body: (locks: Recorded["locks"], store: ConformanceStore) => Effect.Effect<void, unknown>
): Script => ({
  group: "LockStore",
  name,
  body: ({ connect, store }) => Effect.flatMap(connect(""), ({ locks }) => body(locks, store))
})

const expectFence = (about: string, fence: number | undefined) =>
  expect(about, fence).fits("a whole number", Number.isSafeInteger(fence))

export const lockCases: ReadonlyArray<Script> = [
  lockCase(
    "one holder at a time",
    Effect.fnUntraced(function*(locks) {
      expectFence("the fence", yield* locks.acquire("l", "a", 10_000))
      expect("the fence of who asks meanwhile", yield* locks.acquire("l", "b", 10_000)).is(undefined)
      expectFence("the fence of another lock", yield* locks.acquire("other", "b", 10_000))
      expect("the release by the holder", yield* locks.release("l", "a")).is(true)
      expectFence("the fence of who asks after it", yield* locks.acquire("l", "b", 10_000))
    })
  ),

  lockCase(
    "a resent acquire finds its own token and is granted",
    Effect.fnUntraced(function*(locks) {
      const first = yield* locks.acquire("l", "a", 10_000)
      const again = yield* locks.acquire("l", "a", 10_000)
      expect("the fence of the acquire that was resent", again).isAtLeast(first ?? Number.NaN)
      expect("the release by the holder", yield* locks.release("l", "a")).is(true)
      expect("a second release", yield* locks.release("l", "a")).is(false)
    })
  ),

  lockCase(
    "a resent acquire extends the lock",
    Effect.fnUntraced(function*(locks, { advance }) {
      yield* locks.acquire("l", "a", 50)
      yield* locks.acquire("l", "a", 60_000)
      yield* advance(100)
      expect("the fence of who asks meanwhile", yield* locks.acquire("l", "b", 10_000)).is(undefined)
    })
  ),

  lockCase(
    "the fence grows with every acquisition",
    Effect.fnUntraced(function*(locks) {
      let last = -1
      for (let i = 0; i < 50; i++) {
        const fence = yield* locks.acquire("l", `t${i}`, 10_000)
        expect("the fence", fence).isAbove(last)
        last = fence ?? Number.NaN
        yield* locks.release("l", `t${i}`)
      }
    })
  ),

  lockCase(
    "only the holder extends and releases",
    Effect.fnUntraced(function*(locks) {
      expect("the extension of a free lock", yield* locks.extend("l", "a", 1000)).is(false)
      expect("the release of a free lock", yield* locks.release("l", "a")).is(false)
      yield* locks.acquire("l", "a", 10_000)
      expect("the extension by another", yield* locks.extend("l", "b", 1000)).is(false)
      expect("the release by another", yield* locks.release("l", "b")).is(false)
      expect("the release without a token", yield* locks.release("l", "")).is(false)
      expect("the extension by the holder", yield* locks.extend("l", "a", 10_000)).is(true)
      expect("the fence of who asks meanwhile", yield* locks.acquire("l", "b", 10_000)).is(undefined)
    })
  ),

  lockCase(
    "a lock ends at its TTL, unless extended; the next fence is higher",
    Effect.fnUntraced(function*(locks, { advance }) {
      const first = yield* locks.acquire("l", "a", 50)
      yield* locks.acquire("extended", "a", 50)
      yield* locks.extend("extended", "a", 60_000)
      yield* advance(100)
      expect("the extension of a lock that ended", yield* locks.extend("l", "a", 1000)).is(false)
      expect("the release of a lock that ended", yield* locks.release("l", "a")).is(false)
      expect("the next fence", yield* locks.acquire("l", "b", 10_000)).isAbove(first ?? Number.NaN)
      expect("the fence of a lock that was extended", yield* locks.acquire("extended", "b", 10_000)).is(undefined)
    })
  ),

  lockCase(
    "of many who ask at once, one gets it",
    Effect.fnUntraced(function*(locks) {
      const fences = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, i) => i),
        (i) => locks.acquire("l", `t${i}`, 10_000),
        { concurrency: "unbounded" }
      )
      expect("how many were granted", fences.filter((fence) => fence !== undefined).length).is(1)
    })
  ),

  lockCase(
    "hostile names are kept apart",
    Effect.fnUntraced(function*(locks) {
      for (const [i, key] of hostile.entries()) {
        expectFence("the fence of a lock nobody else took", yield* locks.acquire(key, `t${i}`, 10_000))
      }
      for (const [i, key] of hostile.entries()) {
        expect("the release by the holder", yield* locks.release(key, `t${i}`)).is(true)
        const next = hostile[i + 1]
        if (next !== undefined) {
          expect("the fence of a lock that is held", yield* locks.acquire(next, "x", 10_000)).is(undefined)
        }
      }
    })
  ),

  {
    group: "LockStore",
    name: "two stores do not share locks, and clearing entries frees none",
    body: Effect.fnUntraced(function*({ connect, connectElsewhere }) {
      const one = yield* connect("one: ")
      const two = yield* connectElsewhere("two: ")
      expectFence("the fence in the one", yield* one.locks.acquire("l", "a", 10_000))
      expectFence("the fence in the other", yield* two.locks.acquire("l", "b", 10_000))
      yield* one.backend.clear
      expect("the fence after a clear", yield* one.locks.acquire("l", "c", 10_000)).is(undefined)
      // A lock is not a lease: a load of the key with the same name goes its own way.
      expect("the holder of the lease of that name", yield* one.backend.acquire("l", "d", 10_000)).is("d")
    })
  }
]
