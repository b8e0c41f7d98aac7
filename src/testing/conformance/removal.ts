/**
 * What every `CacheBackend` must do when keys, patterns and everything are removed, and how it keeps keys apart.
 */
import { Effect } from "effect"
import { backendCase, read } from "./backendCase.ts"
import type { Script } from "./case.ts"
import { expect } from "./expect.ts"
import { hostile, plant, write } from "./values.ts"

export const removalCases: ReadonlyArray<Script> = [
  backendCase(
    "remove drops entry and lease, so a load in flight cannot store",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* plant(backend, "other", write(backend, "other"))
      yield* backend.acquire("k", "a", 10_000)
      yield* backend.acquire("leased", "a", 10_000)
      expect("the entries removed", yield* backend.remove(["k", "leased", "absent", "k"])).is(1)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the fill of the former holder", yield* backend.fill("k", "a", write(backend, "a"), "keep")).is(false)
      expect(
        "the fill of who held the lease of a key without an entry",
        yield* backend.fill("leased", "a", write(backend, "a"), "keep")
      ).is(false)
      expect("the entry after both", yield* backend.read("k")).is(undefined)
      expect("another key", yield* read(backend, "other")).is("other")
    })
  ),

  backendCase(
    "remove takes thousands of keys",
    Effect.fnUntraced(function*(backend) {
      const keys = Array.from({ length: 10_000 }, (_, i) => `k:${i}`)
      yield* Effect.forEach(keys.slice(0, 3000), (key) => plant(backend, key, write(backend, 1)), {
        concurrency: "unbounded",
        discard: true
      })
      expect("the entries removed", yield* backend.remove(keys)).is(3000)
      expect("one of them", yield* backend.read("k:2999")).is(undefined)
    })
  ),

  backendCase(
    "removeMatching drops entries and leases that match, and no others",
    Effect.fnUntraced(function*(backend) {
      const keys = ["user:1", "user:2:list", "user:", "users:1", "xuser:1", "a:list:b"]
      for (const key of keys) yield* plant(backend, key, write(backend, key))
      yield* backend.acquire("user:3", "a", 10_000)
      yield* backend.acquire("users:3", "a", 10_000)
      expect("the entries removed", yield* backend.removeMatching("user:*")).is(3)
      for (const key of keys) {
        expect(`the entry of ${key}`, yield* read(backend, key)).is(key.startsWith("user:") ? undefined : key)
      }
      expect("a fill whose lease matched", yield* backend.fill("user:3", "a", write(backend, 1), "keep")).is(false)
      expect("a fill whose lease did not", yield* backend.fill("users:3", "a", write(backend, 1), "keep")).is(true)
      expect("the entries removed", yield* backend.removeMatching("*:list:*")).is(1)
      expect("the entries removed", yield* backend.removeMatching("nothing:*")).is(0)
      expect("the entries removed", yield* backend.removeMatching("users:1")).is(1)
      expect("the entries removed", yield* backend.removeMatching("*")).is(2)
    })
  ),

  backendCase(
    "removeMatchingAny, where there is one, drops in one pass what each of its patterns means",
    Effect.fnUntraced(function*(backend) {
      const removal = backend.fast?.removeMatchingAny
      if (removal === undefined) return
      const kept = ["users:1", "user", "a:lst:b", "b:list", "other"]
      const gone = ["user:1", "user:", "a:list:b", "exact", "[ab]x", "end:z"]
      for (const key of [...kept, ...gone]) yield* plant(backend, key, write(backend, key))
      yield* backend.acquire("user:3", "a", 10_000)
      yield* backend.acquire("users:3", "a", 10_000)
      const patterns = ["user:*", "*:list:*", "exact", "[ab]*", "*:z", "nothing:*"]
      expect("the entries removed", yield* removal(patterns)).is(gone.length)
      for (const key of gone) expect(`the entry of ${key}`, yield* backend.read(key)).is(undefined)
      for (const key of kept) expect(`the entry of ${key}`, yield* read(backend, key)).is(key)
      expect("a fill whose lease matched", yield* backend.fill("user:3", "a", write(backend, 1), "keep")).is(false)
      expect("a fill whose lease did not", yield* backend.fill("users:3", "a", write(backend, 1), "keep")).is(true)
      expect("the entries removed", yield* removal(["*", "user:*"])).is(kept.length + 1)
    })
  ),

  backendCase(
    "removeMatching covers many keys",
    Effect.fnUntraced(function*(backend) {
      const keys = Array.from({ length: 2500 }, (_, i) => `${i % 2 === 0 ? "even" : "odd"}:${i}`)
      yield* Effect.forEach(keys, (key) => plant(backend, key, write(backend, 1)), {
        concurrency: "unbounded",
        discard: true
      })
      expect("the entries removed", yield* backend.removeMatching("even:*")).is(1250)
      expect("one that does not match", yield* read(backend, "odd:1")).is(1)
      expect("one that does", yield* backend.read("even:2498")).is(undefined)
    })
  ),

  backendCase(
    "hostile keys are kept apart, and are removed one by one",
    Effect.fnUntraced(function*(backend) {
      for (const [i, key] of hostile.entries()) {
        yield* plant(backend, key, write(backend, i))
        expect("the holder of a key nobody else took", yield* backend.acquire(key, `t${i}`, 10_000)).is(`t${i}`)
      }
      for (const [i, key] of hostile.entries()) expect("the value of a key", yield* read(backend, key)).is(i)
      for (const [i, key] of hostile.entries()) {
        expect("the entries removed", yield* backend.remove([key])).is(1)
        expect("the entry after it", yield* backend.read(key)).is(undefined)
        const next = hostile[i + 1]
        if (next !== undefined) expect("the entry of another key", yield* read(backend, next)).is(i + 1)
      }
    })
  ),

  backendCase(
    "a literal pattern of glob characters removes only what it names",
    Effect.fnUntraced(function*(backend) {
      const keys = ["a?", "ab", "[ab]", "a", "{a}", "a\\", "a^"]
      for (const key of keys) yield* plant(backend, key, write(backend, key))
      for (const pattern of ["[ab]*", "{a}*"]) {
        expect("the entries removed", yield* backend.removeMatching(pattern)).is(1)
      }
      expect("a key that does not match", yield* read(backend, "a")).is("a")
      expect("a key that does not match", yield* read(backend, "ab")).is("ab")
      expect("a key that matches", yield* backend.read("[ab]")).is(undefined)
      expect("a key that matches", yield* backend.read("{a}")).is(undefined)
    })
  ),

  backendCase(
    "clear empties the store and drops leases",
    Effect.fnUntraced(function*(backend) {
      yield* Effect.forEach(["a", "b:c", "{x}"], (key) => plant(backend, key, write(backend, key)))
      yield* backend.acquire("leased", "t", 10_000)
      yield* backend.clear
      for (const key of ["a", "b:c", "{x}"]) expect("an entry after it", yield* backend.read(key)).is(undefined)
      expect("the fill of a former holder", yield* backend.fill("leased", "t", write(backend, 1), "keep")).is(false)
    })
  ),

  {
    group: "CacheBackend",
    name: "clear drops markers and moves the epoch on, never back",
    body: Effect.fnUntraced(function*({ connect }) {
      const { backend, tags } = yield* connect("")
      yield* tags.ensure(["x"], 60_000)
      const before = yield* tags.epoch
      yield* backend.clear
      expect("the markers after it", yield* tags.markers(["x"])).is([undefined])
      expect("the epoch after it", yield* tags.epoch).isAbove(before)
      yield* tags.ensure(["x"], 60_000)
      expect("a marker made after it", (yield* tags.markers(["x"]))[0]).isAbove(before)
    })
  },

  {
    group: "CacheBackend",
    name: "two stores do not see each other, whatever the keys and patterns",
    body: Effect.fnUntraced(function*({ connect, connectElsewhere }) {
      const one = (yield* connect("one: ")).backend
      const two = (yield* connectElsewhere("two: ")).backend
      for (const key of hostile) {
        yield* plant(one, key, write(one, 1))
        expect("the entry in the other store", yield* two.read(key)).is(undefined)
        expect("the holder in the one", yield* one.acquire(key, "one", 10_000)).is("one")
        expect("the holder in the other", yield* two.acquire(key, "two", 10_000)).is("two")
      }
      expect("the entries removed from the other", yield* two.remove(hostile)).is(0)
      for (const pattern of ["*", "**", "*a*", "*{*", "*}*", "*:*", "[ab]*"]) {
        expect("the entries removed from the other", yield* two.removeMatching(pattern)).is(0)
      }
      yield* two.clear
      for (const key of hostile) expect("the value in the one", yield* read(one, key)).is(1)
      expect("the holder in the one", yield* one.acquire("a", "three", 10_000)).is("one")
    })
  }
]
