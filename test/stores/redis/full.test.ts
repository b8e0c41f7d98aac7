/**
 * A Redis that is at its `maxmemory` and finds nothing to evict: what stores is refused, what invalidates and what reads is not.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { sharedRedis } from "../../support/client.ts"
import { valueOf, write } from "../../support/primitives.ts"
import { captureLogs, lookup, openStore, reasonOf, scoped } from "./support.ts"

const sharedServer = sharedRedis()

const ttl = 60_000

const setup = Effect.gen(function*() {
  const opened = yield* openStore(yield* sharedServer)
  const full = (on: boolean) => Effect.promise(() => opened.client.config("SET", "maxmemory", on ? "1" : "0"))
  yield* Effect.addFinalizer(() => full(false))
  return { ...opened, full }
})

describe("a full Redis", () => {
  it.effect(
    "moves the epoch on, and what cannot be raised goes",
    scoped(
      Effect.gen(function*() {
        const { backend, full, tags, text } = yield* setup
        const born = yield* tags.epoch
        yield* tags.ensure(["a", "b"], ttl)
        yield* backend.acquire("k", "one", ttl)
        assert.isTrue(yield* backend.fill("k", "one", write(backend, "v", ttl, { born, tags: ["a"] }), "keep"))
        yield* full(true)
        yield* tags.invalidate(["a"])
        assert.isAbove(yield* tags.epoch, born)
        assert.isNull(yield* text("t:a"))
        assert.isNotNull(yield* text("t:b"))
        const { markers, stored } = yield* lookup(backend, "k", ["a"])
        assert.isDefined(stored)
        assert.deepStrictEqual(markers, [undefined])
        // With room again the marker comes back above what was born before.
        yield* full(false)
        yield* tags.ensure(["a"], ttl)
        assert.isAbove((yield* tags.markers(["a"]))[0]!, born)
      })
    )
  )

  it.effect(
    "clears, and removes by key and by pattern",
    scoped(
      Effect.gen(function*() {
        const { backend, full, tags } = yield* setup
        const born = yield* tags.epoch
        for (const key of ["k:1", "k:2", "o"]) {
          yield* backend.acquire(key, "one", ttl)
          yield* backend.fill(key, "one", write(backend, "v", ttl, { born }), "keep")
        }
        yield* full(true)
        assert.strictEqual(yield* backend.remove(["k:1"]), 1)
        assert.strictEqual(yield* backend.removeMatching("k:*"), 1)
        yield* backend.clear
        assert.isUndefined(yield* backend.read("o"))
        assert.isAbove(yield* tags.epoch, born)
      })
    )
  )

  it.effect(
    "makes an epoch that was lost, and settles a marker, but takes nothing new in",
    scoped(
      Effect.gen(function*() {
        const { backend, client, full, locks, namespace, tags, text } = yield* setup
        const born = yield* tags.epoch
        yield* backend.acquire("k", "one", ttl)
        yield* backend.fill("k", "one", write(backend, "v", ttl, { born }), "keep")
        yield* Effect.promise(() => client.set(`${namespace}:t:a`, "?left-1", "PX", ttl))
        yield* Effect.promise(() => client.unlink(`${namespace}:epoch`))
        yield* full(true)
        assert.isAbove(yield* tags.epoch, born)
        yield* tags.ensure(["a"], ttl)
        assert.deepStrictEqual(yield* tags.markers(["a"]), [yield* tags.epoch])
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:t:a`)), 0)
        assert.strictEqual(yield* reasonOf(backend.acquire("new", "one", ttl)), "NoRoom")
        assert.strictEqual(yield* reasonOf(tags.ensure(["new"], ttl)), "NoRoom")
        assert.strictEqual(yield* reasonOf(backend.addTags("k", ["new"])), "NoRoom")
        assert.strictEqual(yield* reasonOf(locks.acquire("new", "one", ttl)), "NoRoom")
        assert.isNull(yield* text("t:new"))
        assert.isNull(yield* text("l:{new}"))
      })
    )
  )

  it.effect(
    "renews and releases leases and locks that are held",
    scoped(
      Effect.gen(function*() {
        const { backend, full, locks } = yield* setup
        yield* backend.acquire("k", "one", ttl)
        yield* locks.acquire("lock", "one", ttl)
        yield* full(true)
        assert.isTrue(yield* backend.renew("k", "one", ttl))
        assert.isTrue(yield* backend.release("k", "one", "keep"))
        assert.isTrue(yield* locks.extend("lock", "one", ttl))
        assert.isTrue(yield* locks.release("lock", "one"))
      })
    )
  )

  for (const [onLost, left] of [
    ["keep", true],
    ["unlink", false],
    ["empty", false]
  ] as const) {
    it.effect(
      `refuses a fill, gives its lease back, and ${left ? "keeps" : "removes"} the entry ("${onLost}")`,
      scoped(
        Effect.gen(function*() {
          const { backend, full, tags, text } = yield* setup
          const born = yield* tags.epoch
          yield* backend.acquire("k", "one", ttl)
          yield* backend.fill("k", "one", write(backend, "old", ttl, { born }), "keep")
          yield* backend.acquire("k", "two", ttl)
          yield* full(true)
          assert.isFalse(yield* backend.fill("k", "two", write(backend, "new", ttl, { born }), onLost))
          assert.strictEqual((yield* backend.read("k")) !== undefined, left)
          assert.isNull(yield* text("l:{k}"))
        })
      )
    )
  }

  for (const unlink of [true, false]) {
    it.effect(
      `takes a lease from whoever holds it, and holds none itself (${unlink ? "without" : "with"} the entry)`,
      scoped(
        Effect.gen(function*() {
          const { backend, full, tags, text } = yield* setup
          const born = yield* tags.epoch
          yield* backend.acquire("k", "one", ttl)
          yield* backend.fill("k", "one", write(backend, "old", ttl, { born }), "keep")
          yield* backend.acquire("k", "two", ttl)
          yield* full(true)
          const { unlinked } = yield* backend.takeOver("k", "three", ttl, unlink ? "write" : "refresh", "entry")
          assert.strictEqual(valueOf(backend, unlinked), unlink ? "old" : undefined)
          assert.isNull(yield* text("l:{k}"))
          assert.strictEqual((yield* backend.read("k")) !== undefined, !unlink)
          // Also when there is room again.
          yield* full(false)
          assert.isFalse(yield* backend.fill("k", "two", write(backend, "older", ttl, { born }), "keep"))
          assert.isFalse(yield* backend.fill("k", "three", write(backend, "new", ttl, { born }), "empty"))
          assert.isUndefined(yield* backend.read("k"))
        })
      )
    )
  }

  it.effect("is told of once, not with every call", () => {
    const { layer, lines } = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const { backend, full } = yield* setup
        yield* full(true)
        for (let i = 0; i < 5; i++) yield* Effect.exit(backend.acquire(`k${i}`, "one", ttl))
        const warnings = lines.filter((line) => line.startsWith("Warn"))
        assert.strictEqual(warnings.length, 1, warnings.join("\n"))
        assert.match(warnings[0]!, /is full: OOM command not allowed.*maxmemory-policy/)
      })
    ).pipe(Effect.provide(layer))
  })
})
