/**
 * What every `CacheBackend` must do. Run it from the test file of each implementation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import type { CacheBackend } from "../../src/services/CacheBackend.ts"
import { hostile, type MakePrimitives, opened, plant, type SuiteOptions, valueOf, write } from "./primitives.ts"

type Backend = CacheBackend["Service"]

const read = (backend: Backend, key: string) => Effect.map(backend.read(key), (found) => valueOf(backend, found))

export const suite = (name: string, makePrimitives: MakePrimitives, options: SuiteOptions): void => {
  const test = (title: string, body: (backend: Backend) => Effect.Effect<void, unknown>) =>
    it.effect(title, () => Effect.scoped(Effect.flatMap(makePrimitives, ({ backend }) => body(backend))))

  describe(`CacheBackend: ${name}`, () => {
    test(
      "an absent key is a miss, and so are its lease and its removal",
      Effect.fnUntraced(function*(backend) {
        assert.isUndefined(yield* backend.read("k"))
        assert.isFalse(yield* backend.renew("k", "a", 1000))
        assert.isFalse(yield* backend.release("k", "a", "keep"))
        assert.strictEqual(yield* backend.remove(["k"]), 0)
        assert.strictEqual(yield* backend.remove([]), 0)
        assert.isFalse(yield* backend.addTags("k", ["t"]))
      })
    )

    test(
      "takeOver and fill write header and value, whoever held the lease",
      Effect.fnUntraced(function*(backend) {
        yield* backend.acquire("k", "a", 10_000)
        const first = write(backend, { n: 1 }, 60_000, { born: 7, tags: ["x", "y"], freshUntil: 9 })
        yield* backend.takeOver("k", "b", 10_000, { unlink: false })
        assert.isTrue(yield* backend.fill("k", "b", first, "keep"))
        const found = opened(backend, yield* backend.read("k"))
        assert.isTrue(found._tag === "Some")
        if (found._tag === "Some") {
          assert.deepStrictEqual(found.value.value, { n: 1 })
          assert.strictEqual(found.value.born, 7)
          assert.strictEqual(found.value.freshUntil, 9)
          assert.deepStrictEqual([...found.value.tags].sort(), ["x", "y"])
        }
        assert.isFalse(yield* backend.fill("k", "a", write(backend, 2), "keep"))
        assert.deepStrictEqual(yield* read(backend, "k"), { n: 1 })
        yield* backend.takeOver("k", "c", 10_000, { unlink: false })
        assert.isTrue(yield* backend.fill("k", "c", write(backend, 3), "keep"))
        assert.strictEqual(yield* read(backend, "k"), 3)
      })
    )

    test(
      "falsy values and large values come back",
      Effect.fnUntraced(function*(backend) {
        const values = [0, "", false, null, [], {}, "x".repeat(200_000), { deep: { list: [1, "2", null] } }]
        for (const [i, value] of values.entries()) {
          yield* plant(backend, `k${i}`, write(backend, value))
          assert.deepStrictEqual(yield* read(backend, `k${i}`), value)
        }
      })
    )

    test(
      "an entry ends at its hard TTL, and not without one",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "short", write(backend, 1, 50))
        yield* plant(backend, "long", write(backend, 2, Number.MAX_SAFE_INTEGER))
        yield* plant(backend, "ever", write(backend, 3))
        yield* plant(backend, "fraction", write(backend, 4, 60_000.5))
        yield* backend.acquire("filled", "a", 10_000)
        yield* backend.fill("filled", "a", write(backend, 5, 50), "keep")
        assert.strictEqual(yield* read(backend, "filled"), 5)
        yield* options.advance(100)
        assert.isUndefined(yield* backend.read("short"))
        assert.isUndefined(yield* backend.read("filled"))
        assert.strictEqual(yield* read(backend, "long"), 2)
        assert.strictEqual(yield* read(backend, "ever"), 3)
        assert.strictEqual(yield* read(backend, "fraction"), 4)
        assert.isFalse(yield* backend.addTags("short", ["t"]))
      })
    )

    test(
      "acquire names the holder; a resent acquire finds its own token",
      Effect.fnUntraced(function*(backend) {
        assert.strictEqual(yield* backend.acquire("k", "a", 10_000), "a")
        assert.strictEqual(yield* backend.acquire("k", "b", 10_000), "a")
        assert.strictEqual(yield* backend.acquire("k", "a", 10_000), "a")
        assert.strictEqual(yield* backend.acquire("other", "b", 10_000), "b")
      })
    )

    test(
      "a lease of a server ends at its TTL, unless renewed",
      Effect.fnUntraced(function*(backend) {
        if (backend.local !== undefined) return
        yield* backend.acquire("k", "a", 50)
        yield* backend.acquire("renewed", "a", 50)
        assert.isTrue(yield* backend.renew("renewed", "a", 60_000))
        assert.isFalse(yield* backend.renew("renewed", "b", 60_000))
        yield* options.advance(100)
        assert.isFalse(yield* backend.renew("k", "a", 1000))
        assert.isFalse(yield* backend.fill("k", "a", write(backend, 1), "keep"))
        assert.strictEqual(yield* backend.acquire("k", "b", 10_000), "b")
        assert.strictEqual(yield* backend.acquire("renewed", "b", 10_000), "a")
      })
    )

    test(
      "fill is fenced by the token, and drops the lease",
      Effect.fnUntraced(function*(backend) {
        yield* backend.acquire("k", "a", 10_000)
        assert.isFalse(yield* backend.fill("k", "b", write(backend, "b"), "keep"))
        assert.isUndefined(yield* backend.read("k"))
        assert.isTrue(yield* backend.fill("k", "a", write(backend, "a"), "keep"))
        assert.strictEqual(yield* read(backend, "k"), "a")
        // The lease is gone, so a second fill with the same token is refused, and another may acquire.
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "again"), "keep"))
        assert.strictEqual(yield* read(backend, "k"), "a")
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "c")
      })
    )

    test(
      "an absent lease rejects the fill",
      Effect.fnUntraced(function*(backend) {
        assert.isFalse(yield* backend.fill("k", "a", write(backend, 1), "keep"))
        assert.isUndefined(yield* backend.read("k"))
        assert.isFalse(yield* backend.fill("k", "", write(backend, 1), "unlink"))
        assert.isUndefined(yield* backend.read("k"))
      })
    )

    test(
      "a refused fill with keep changes nothing",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.acquire("k", "b", 10_000)
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "a"), "keep"))
        assert.strictEqual(yield* read(backend, "k"), "old")
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "b")
      })
    )

    test(
      "the losing writer unlinks entry and lease",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.takeOver("k", "a", 10_000, { unlink: true })
        yield* backend.takeOver("k", "b", 10_000, { unlink: true })
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "a"), "unlink"))
        // Neither writer leaves a value: the other one lost its lease too.
        assert.isFalse(yield* backend.fill("k", "b", write(backend, "b"), "unlink"))
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "c")
      })
    )

    test(
      "a writer that finishes before the loser leaves nothing either",
      Effect.fnUntraced(function*(backend) {
        yield* backend.takeOver("k", "a", 10_000, { unlink: true })
        yield* backend.takeOver("k", "b", 10_000, { unlink: true })
        assert.isTrue(yield* backend.fill("k", "b", write(backend, "b"), "unlink"))
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "a"), "unlink"))
        assert.isUndefined(yield* backend.read("k"))
      })
    )

    test(
      "release drops the lease of its holder only",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.acquire("k", "a", 10_000)
        assert.isFalse(yield* backend.release("k", "b", "keep"))
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "a")
        assert.isTrue(yield* backend.release("k", "a", "unlink"))
        assert.strictEqual(yield* read(backend, "k"), "old")
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "c")
        assert.isFalse(yield* backend.release("k", "a", "unlink"))
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* backend.acquire("k", "d", 10_000), "d")
      })
    )

    test(
      "takeOver replaces any holder, and unlinks the entry only when asked",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.acquire("k", "a", 10_000)
        yield* backend.takeOver("k", "b", 10_000, { unlink: false })
        assert.strictEqual(yield* read(backend, "k"), "old")
        assert.strictEqual(yield* backend.acquire("k", "c", 10_000), "b")
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "a"), "keep"))
        yield* backend.takeOver("k", "d", 10_000, { unlink: true })
        assert.isUndefined(yield* backend.read("k"))
        assert.isFalse(yield* backend.fill("k", "b", write(backend, "b"), "keep"))
        assert.isTrue(yield* backend.fill("k", "d", write(backend, "d"), "keep"))
        assert.strictEqual(yield* read(backend, "k"), "d")
        yield* backend.takeOver("new", "a", 10_000, { unlink: true })
        assert.isTrue(yield* backend.fill("new", "a", write(backend, 1), "keep"))
      })
    )

    test(
      "remove drops entry and lease, so a load in flight cannot store",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* plant(backend, "other", write(backend, "other"))
        yield* backend.acquire("k", "a", 10_000)
        yield* backend.acquire("leased", "a", 10_000)
        assert.strictEqual(yield* backend.remove(["k", "leased", "absent", "k"]), 1)
        assert.isUndefined(yield* backend.read("k"))
        assert.isFalse(yield* backend.fill("k", "a", write(backend, "a"), "keep"))
        assert.isFalse(yield* backend.fill("leased", "a", write(backend, "a"), "keep"))
        assert.isUndefined(yield* backend.read("k"))
        assert.strictEqual(yield* read(backend, "other"), "other")
      })
    )

    test(
      "remove takes thousands of keys",
      Effect.fnUntraced(function*(backend) {
        const keys = Array.from({ length: 10_000 }, (_, i) => `k:${i}`)
        yield* Effect.forEach(keys.slice(0, 3000), (key) => plant(backend, key, write(backend, 1)), {
          concurrency: "unbounded",
          discard: true
        })
        assert.strictEqual(yield* backend.remove(keys), 3000)
        assert.isUndefined(yield* backend.read("k:2999"))
      })
    )

    test(
      "removeMatching drops entries and leases that match, and no others",
      Effect.fnUntraced(function*(backend) {
        const keys = ["user:1", "user:2:list", "user:", "users:1", "xuser:1", "a:list:b"]
        for (const key of keys) yield* plant(backend, key, write(backend, key))
        yield* backend.acquire("user:3", "a", 10_000)
        yield* backend.acquire("users:3", "a", 10_000)
        assert.strictEqual(yield* backend.removeMatching("user:*"), 3)
        for (const key of keys) {
          assert.strictEqual(yield* read(backend, key), key.startsWith("user:") ? undefined : key)
        }
        assert.isFalse(yield* backend.fill("user:3", "a", write(backend, 1), "keep"))
        assert.isTrue(yield* backend.fill("users:3", "a", write(backend, 1), "keep"))
        assert.strictEqual(yield* backend.removeMatching("*:list:*"), 1)
        assert.strictEqual(yield* backend.removeMatching("nothing:*"), 0)
        assert.strictEqual(yield* backend.removeMatching("users:1"), 1)
        assert.strictEqual(yield* backend.removeMatching("*"), 2)
      })
    )

    test(
      "removeMatching covers many keys",
      Effect.fnUntraced(function*(backend) {
        const keys = Array.from({ length: 2500 }, (_, i) => `${i % 2 === 0 ? "even" : "odd"}:${i}`)
        yield* Effect.forEach(keys, (key) => plant(backend, key, write(backend, 1)), {
          concurrency: "unbounded",
          discard: true
        })
        assert.strictEqual(yield* backend.removeMatching("even:*"), 1250)
        assert.strictEqual(yield* read(backend, "odd:1"), 1)
        assert.isUndefined(yield* backend.read("even:2498"))
      })
    )

    test(
      "hostile keys are kept apart, and are removed one by one",
      Effect.fnUntraced(function*(backend) {
        for (const [i, key] of hostile.entries()) {
          yield* plant(backend, key, write(backend, i))
          assert.strictEqual(yield* backend.acquire(key, `t${i}`, 10_000), `t${i}`)
        }
        for (const [i, key] of hostile.entries()) assert.strictEqual(yield* read(backend, key), i)
        for (const [i, key] of hostile.entries()) {
          assert.strictEqual(yield* backend.remove([key]), 1, JSON.stringify(key))
          assert.isUndefined(yield* backend.read(key))
          const next = hostile[i + 1]
          if (next !== undefined) assert.strictEqual(yield* read(backend, next), i + 1)
        }
      })
    )

    test(
      "a literal pattern of glob characters removes only what it names",
      Effect.fnUntraced(function*(backend) {
        const keys = ["a?", "ab", "[ab]", "a", "{a}", "a\\", "a^"]
        for (const key of keys) yield* plant(backend, key, write(backend, key))
        for (const pattern of ["[ab]*", "{a}*"]) {
          const removed = yield* backend.removeMatching(pattern)
          assert.strictEqual(removed, 1, pattern)
        }
        assert.strictEqual(yield* read(backend, "a"), "a")
        assert.strictEqual(yield* read(backend, "ab"), "ab")
        assert.isUndefined(yield* backend.read("[ab]"))
        assert.isUndefined(yield* backend.read("{a}"))
      })
    )

    test(
      "addTags adds to the header and leaves value, born and end alone",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, { v: 1 }, 100, { born: 5, tags: ["a"] }))
        assert.isTrue(yield* backend.addTags("k", ["b", "a", "{c}*"]))
        const found = opened(backend, yield* backend.read("k"))
        if (found._tag === "None") return assert.fail("the entry is gone")
        assert.deepStrictEqual([...found.value.tags].sort(), ["a", "b", "{c}*"])
        assert.strictEqual(found.value.born, 5)
        assert.deepStrictEqual(found.value.value, { v: 1 })
        yield* options.advance(200)
        assert.isUndefined(yield* backend.read("k"))
      })
    )

    test(
      "addTags of an entry without an end leaves it without one",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, 1))
        assert.isTrue(yield* backend.addTags("k", ["b"]))
        assert.isTrue(yield* backend.addTags("k", []))
        yield* options.advance(100)
        assert.strictEqual(yield* read(backend, "k"), 1)
      })
    )

    test(
      "addTags keeps the lease",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, 1))
        yield* backend.acquire("k", "a", 10_000)
        assert.isTrue(yield* backend.addTags("k", ["b"]))
        assert.isTrue(yield* backend.fill("k", "a", write(backend, 2), "keep"))
      })
    )

    test(
      "awaitRelease completes after a release and after a fill",
      Effect.fnUntraced(function*(backend) {
        for (const end of ["release", "fill"] as const) {
          yield* backend.acquire(end, "a", 10_000)
          const waiter = yield* Effect.forkChild(backend.awaitRelease(end, "a"), { startImmediately: true })
          if (end === "release") yield* backend.release(end, "a", "keep")
          else yield* backend.fill(end, "a", write(backend, 1), "keep")
          assert.isTrue(Exit.isSuccess(yield* Fiber.await(waiter)))
        }
      })
    )

    test(
      "awaitRelease completes when the lease is no longer that token's",
      Effect.fnUntraced(function*(backend) {
        yield* backend.awaitRelease("absent", "a")
        yield* backend.acquire("k", "b", 10_000)
        yield* backend.awaitRelease("k", "a")
      })
    )

    test(
      "interrupted waiters leave the others waiting",
      Effect.fnUntraced(function*(backend) {
        yield* backend.acquire("k", "a", 10_000)
        const wait = backend.awaitRelease("k", "a")
        const first = yield* Effect.forkChild(wait, { startImmediately: true })
        const second = yield* Effect.forkChild(wait, { startImmediately: true })
        yield* Fiber.interrupt(first)
        yield* backend.release("k", "a", "keep")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(second)))
      })
    )

    test(
      "primitives started in one tick are carried out in order",
      Effect.fnUntraced(function*(backend) {
        const [holder, , filled, found] = yield* Effect.all(
          [
            backend.acquire("k", "a", 10_000),
            backend.takeOver("k", "b", 10_000, { unlink: true }),
            backend.fill("k", "b", write(backend, "b"), "keep"),
            backend.read("k")
          ],
          { concurrency: "unbounded" }
        )
        assert.strictEqual(holder, "a")
        assert.isTrue(filled)
        assert.strictEqual(valueOf(backend, found), "b")
      })
    )

    test(
      "clear empties the store and drops leases",
      Effect.fnUntraced(function*(backend) {
        yield* Effect.forEach(["a", "b:c", "{x}"], (key) => plant(backend, key, write(backend, key)))
        yield* backend.acquire("leased", "t", 10_000)
        yield* backend.clear
        for (const key of ["a", "b:c", "{x}"]) assert.isUndefined(yield* backend.read(key))
        assert.isFalse(yield* backend.fill("leased", "t", write(backend, 1), "keep"))
      })
    )

    it.effect("clear drops markers and moves the epoch on, never back", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { backend, tags } = yield* makePrimitives
          yield* tags.ensure(["x"], 60_000)
          const before = yield* tags.epoch
          yield* backend.clear
          assert.deepStrictEqual(yield* tags.markers(["x"]), [undefined])
          assert.isAbove(yield* tags.epoch, before)
          yield* tags.ensure(["x"], 60_000)
          assert.isAbove((yield* tags.markers(["x"]))[0]!, before)
        })
      )
    )

    it.effect("two stores do not see each other, whatever the keys and patterns", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const one = (yield* makePrimitives).backend
          const two = (yield* makePrimitives).backend
          for (const key of hostile) {
            yield* plant(one, key, write(one, 1))
            assert.isUndefined(yield* two.read(key))
            assert.strictEqual(yield* one.acquire(key, "one", 10_000), "one")
            assert.strictEqual(yield* two.acquire(key, "two", 10_000), "two")
          }
          assert.strictEqual(yield* two.remove(hostile), 0)
          for (const pattern of ["*", "**", "*a*", "*{*", "*}*", "*:*", "[ab]*"]) {
            assert.strictEqual(yield* two.removeMatching(pattern), 0)
          }
          yield* two.clear
          for (const key of hostile) assert.strictEqual(yield* read(one, key), 1)
          assert.strictEqual(yield* one.acquire("a", "three", 10_000), "one")
        })
      )
    )

    test(
      "usage says whose numbers it gives",
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "x".repeat(1000)))
        const usage = yield* backend.usage
        assert.include(["process", "server"], usage.scope)
        assert.isAtLeast(usage.entries, 1)
        assert.isAbove(usage.bytes, 0)
        assert.isAtLeast(usage.evictions, 0)
      })
    )
  })
}
