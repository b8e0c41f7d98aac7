import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { CacheEntry } from "../../../src/CacheEntry.ts"
import {
  makeMemoryPrimitives,
  makeMemoryPrimitivesWithState,
  type MemoryOptions
} from "../../../src/stores/memory/primitives.ts"
import type { MemoryState } from "../../../src/stores/memory/state.ts"
import { absent, stamps } from "../../../src/internal/stamp.ts"
import { header, plant, type Primitives } from "../../support/primitives.ts"

const entry = (value: unknown, tags: ReadonlyArray<string> = [], born = 1): CacheEntry => ({
  ...header({ tags, born }),
  value
})

const ever = Number.POSITIVE_INFINITY

/** Counts what the state holds from scratch, and compares it with what the state says of itself. */
const checkState = (state: MemoryState, maxEntries: number, maxBytes: number): void => {
  const { entries, markers } = state
  assert.isAtMost(entries.size, maxEntries)
  assert.isAtMost(entries.weight, maxBytes)
  let weight = 0
  const bearers = new Map<string, number>()
  for (const key of entries.keys()) {
    weight += entries.weightOf(key)
    // Before all time, so that what has expired is looked at too.
    for (const tag of entries.peek(key, -ever)!.tags) bearers.set(tag, (bearers.get(tag) ?? 0) + 1)
  }
  assert.strictEqual(entries.weight, weight)
  assert.isAtMost(entries.ghostSize, Math.max(64, maxEntries))
  // Each marker is borne by a live entry, or is one of the idle ones, whose number is bounded.
  assert.strictEqual(markers.size, markers.idle + bearers.size)
  assert.isAtMost(markers.idle, Math.max(10_000, 4 * maxEntries))
}

describe("memoryPrimitives", () => {
  it.effect("options out of range fail with InvalidOption", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [string, unknown]> = [
        ["maxEntries", 0],
        ["maxEntries", -1],
        ["maxEntries", 1.5],
        ["maxEntries", Number.NaN],
        ["maxEntries", ever],
        ["maxBytes", 0],
        ["maxBytes", -1],
        ["maxBytes", Number.NaN],
        ["maxBytes", "much"],
        ["isolation", "copy"]
      ]
      for (const [option, value] of bad) {
        const error = yield* Effect.flip(makeMemoryPrimitives({ [option]: value } as MemoryOptions))
        assert.strictEqual(error.reason._tag, "InvalidOption")
        if (error.reason._tag === "InvalidOption") {
          assert.strictEqual(error.reason.option, option)
          assert.strictEqual(error.reason.actual, typeof value === "string" ? `"${value}"` : String(value))
        }
      }
      const { backend } = yield* makeMemoryPrimitives({ maxBytes: "1 MiB", isolation: "clone", name: "l1" })
      assert.deepStrictEqual([backend.isolation, backend.name, backend.format], ["clone", "l1", "values"])
    })
  )

  it.effect("the same object comes back, also by the local read", () =>
    Effect.gen(function*() {
      const { backend } = yield* makeMemoryPrimitives({})
      const value = { a: 1 }
      yield* plant(backend, "k", { stored: entry(value), ttlMillis: 1000 })
      assert.strictEqual(backend.local!.get("k", 999)?.value, value)
      assert.isUndefined(backend.local!.get("k", 1000))
      // An expiry that was seen stays seen, also by a clock that goes back.
      assert.isUndefined(backend.local!.get("k", 0))
    })
  )

  it.effect("an undefined value is a hit", () =>
    Effect.gen(function*() {
      const { backend } = yield* makeMemoryPrimitives({})
      yield* plant(backend, "k", { stored: entry(undefined), ttlMillis: ever })
      assert.isDefined(yield* backend.read("k"))
    })
  )

  it.effect("what has expired is swept by later writes, without being read", () =>
    Effect.gen(function*() {
      const { backend, state } = yield* makeMemoryPrimitivesWithState({ maxEntries: 1000 })
      for (let i = 0; i < 400; i++) yield* plant(backend, `short${i}`, { stored: entry(i, ["t"]), ttlMillis: 100 })
      yield* TestClock.adjust(100)
      for (let i = 0; i < 150; i++) yield* plant(backend, `long${i}`, { stored: entry(i), ttlMillis: ever })
      assert.strictEqual((yield* backend.usage).entries, 150)
      assert.strictEqual((yield* backend.usage).evictions, 0)
      checkState(state, 1000, 64 * 2 ** 20)
    })
  )

  it.effect("an entry that takes more than the whole room is not stored, and its older value goes", () =>
    Effect.gen(function*() {
      const { backend, state, tags } = yield* makeMemoryPrimitivesWithState({ maxBytes: 10_000 })
      yield* tags.ensure(["t"], ever)
      yield* plant(backend, "k", { stored: entry("small", ["t"]), ttlMillis: ever })
      yield* backend.acquire("k", "a", 1000)
      const large = { stored: entry("x".repeat(10_000), ["t"]), ttlMillis: ever }
      assert.isTrue(yield* backend.fill("k", "a", large, "keep"))
      assert.isUndefined(yield* backend.read("k"))
      assert.strictEqual(state.leases.size, 0)
      assert.deepStrictEqual(yield* backend.usage, { scope: "process", entries: 0, bytes: 0, evictions: 1 })
      checkState(state, 10_000, 10_000)
    })
  )

  it.effect("a value that grows makes room among the others, not by its own eviction", () =>
    Effect.gen(function*() {
      const { backend, state } = yield* makeMemoryPrimitivesWithState({ maxBytes: 20_000 })
      for (let i = 0; i < 20; i++) yield* plant(backend, `k${i}`, { stored: entry("x".repeat(100)), ttlMillis: ever })
      yield* plant(backend, "k0", { stored: entry("y".repeat(8000)), ttlMillis: ever })
      assert.strictEqual(backend.local!.get("k0", 0)?.value, "y".repeat(8000))
      checkState(state, 10_000, 20_000)
    })
  )

  it.effect("a fill that lost its lease, or never had one, stores nothing", () =>
    Effect.gen(function*() {
      const { backend } = yield* makeMemoryPrimitives({})
      yield* backend.acquire("k", "a", 1000)
      yield* backend.remove(["k"])
      assert.isFalse(yield* backend.fill("k", "a", { stored: entry("old"), ttlMillis: ever }, "keep"))
      assert.isUndefined(yield* backend.read("k"))
    })
  )

  it.effect("bytes instead of a value are a defect, and leave no trace", () =>
    Effect.gen(function*() {
      const { backend, state } = yield* makeMemoryPrimitivesWithState({})
      yield* backend.acquire("k", "a", 1000)
      const exit = yield* Effect.exit(backend.fill("k", "a", { stored: new Uint8Array(1), ttlMillis: 1 }, "keep"))
      assert.isTrue(Exit.hasDies(exit))
      assert.isTrue(yield* backend.release("k", "a", "keep"))
      assert.isUndefined(yield* backend.read("k"))
      checkState(state, 10_000, 64 * 2 ** 20)
    })
  )

  it.effect("a flood of tags that no entry bears pushes out idle markers, and none that an entry bears", () =>
    Effect.gen(function*() {
      const { backend, state, tags } = yield* makeMemoryPrimitivesWithState({ maxEntries: 10 })
      yield* tags.ensure(["borne", "idle"], ever)
      yield* plant(backend, "k", { stored: entry(1, ["borne"]), ttlMillis: ever })
      for (let i = 0; i < 12; i++)
        yield* tags.ensure(
          Array.from({ length: 1000 }, (_, n) => `${i}:${n}`),
          ever
        )
      assert.deepStrictEqual(yield* tags.markers(["borne", "idle"]), [1, undefined])
      assert.isAtMost(state.markers.size, 10_001)
      // Long tags count by their length.
      for (let i = 0; i < 100; i++) yield* tags.invalidate([`${i}`.padEnd(500_000, "x")])
      assert.isAtMost(state.markers.size, 20)
      assert.strictEqual((yield* tags.markers(["borne"]))[0], 1)
    })
  )

  it.effect("a marker that was dropped comes back at the epoch of now, so an invalidated entry stays stale", () =>
    Effect.gen(function*() {
      const { tags } = yield* makeMemoryPrimitives({ maxEntries: 1 })
      yield* tags.ensure(["t"], ever)
      const born = yield* tags.epoch
      yield* tags.invalidate(["t"])
      yield* tags.ensure(
        Array.from({ length: 10_000 }, (_, i) => `${i}`),
        ever
      )
      assert.deepStrictEqual(yield* tags.markers(["t"]), [undefined])
      yield* tags.ensure(["t"], ever)
      assert.isAbove((yield* tags.markers(["t"]))[0]!, born)
    })
  )

  it.effect("waiting for a lease leaves nothing behind", () =>
    Effect.gen(function*() {
      const { backend, state } = yield* makeMemoryPrimitivesWithState({})
      yield* backend.acquire("k", "a", 1000)
      const waiters = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
      )
      assert.strictEqual(state.leases.get("k")!.waiters!.size, 10)
      yield* Fiber.interruptAll(waiters)
      assert.strictEqual(state.leases.get("k")!.waiters!.size, 0)
      for (const end of [
        backend.takeOver("k", "b", 1000, "refresh"),
        backend.remove(["k"]),
        backend.fill("k", "a", { stored: entry(1), ttlMillis: ever }, "keep"),
        backend.release("k", "a", "unlink"),
        backend.removeMatching("k"),
        backend.clear
      ]) {
        yield* backend.clear
        yield* backend.acquire("k", "a", 1000)
        const waiter = yield* Effect.forkChild(backend.awaitRelease("k", "a"), { startImmediately: true })
        yield* end
        yield* Fiber.join(waiter)
        if (!state.leases.has("k")) assert.strictEqual(state.leases.size, 0)
      }
    })
  )

  it.effect("a waiter goes on after the primitive that woke it, not within", () =>
    Effect.gen(function*() {
      const { backend } = yield* makeMemoryPrimitives({})
      const order: Array<string> = []
      yield* backend.acquire("k", "a", 1000)
      const waiter = yield* Effect.forkChild(
        Effect.andThen(
          backend.awaitRelease("k", "a"),
          Effect.sync(() => order.push("woken"))
        ),
        { startImmediately: true }
      )
      yield* Effect.andThen(
        backend.remove(["k"]),
        Effect.sync(() => order.push("removed"))
      )
      yield* Fiber.join(waiter)
      assert.deepStrictEqual(order, ["removed", "woken"])
    })
  )

  it.effect("a pattern over very many keys lets other fibers run, and covers what was there when it began", () =>
    Effect.gen(function*() {
      const { backend } = yield* makeMemoryPrimitives({ maxEntries: 20_000 })
      for (let i = 0; i < 15_000; i++) yield* plant(backend, `k${i}`, { stored: entry(i), ttlMillis: ever })
      let turns = 0
      const other = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.suspend(() => plant(backend, `new${turns++}`, { stored: entry(0), ttlMillis: ever })),
            Effect.yieldNow
          )
        ),
        { startImmediately: true }
      )
      assert.isAtLeast(yield* backend.removeMatching("k*"), 15_000)
      yield* Fiber.interrupt(other)
      assert.isAbove(turns, 1)
      for (const i of [0, 4095, 4096, 14_999]) assert.isUndefined(yield* backend.read(`k${i}`))
    })
  )

  it.effect("locks of holders that died are swept", () =>
    Effect.gen(function*() {
      const { locks, state } = yield* makeMemoryPrimitivesWithState({})
      for (let i = 0; i < 300; i++) yield* locks.acquire(`l${i}`, "dead", 100)
      yield* TestClock.adjust(100)
      for (let i = 0; i < 200; i++) {
        yield* locks.acquire("other", "t", 100)
        yield* locks.release("other", "t")
      }
      assert.strictEqual(state.locks.size, 0)
    })
  )

  const operations = [
    "plant",
    "fill",
    "lose",
    "remove",
    "pattern",
    "read",
    "addTags",
    "invalidate",
    "ensure",
    "clear",
    "takeOver",
    "release",
    "await",
    "tick"
  ] as const

  /** One random operation. Every value, key and tag comes from a small pool, so that they meet. */
  const act = Effect.fnUntraced(function*({ backend, tags }: Primitives, bytes: number) {
    const int = (max: number) => Random.nextIntBetween(0, max, { halfOpen: true })
    const operation = operations[yield* int(operations.length)]!
    const key = `k${yield* int(40)}`
    const some = Array.from({ length: yield* int(4) }, (_, i) => `t${i * 3}`)
    const write = {
      stored: entry("x".repeat(yield* int(bytes)), some, yield* tags.epoch),
      ttlMillis: (yield* int(3)) === 0 ? ever : 1 + (yield* int(50))
    }
    const token = `${yield* int(3)}`
    switch (operation) {
      case "plant":
        return yield* plant(backend, key, write)
      case "fill":
        yield* backend.acquire(key, token, 10)
        yield* tags.ensure(some, write.ttlMillis)
        return yield* backend.fill(key, token, write, "keep")
      case "lose":
        return yield* backend.fill(key, token, write, "unlink")
      case "remove":
        return yield* backend.remove([key, `k${yield* int(40)}`])
      case "pattern":
        return yield* (yield* int(5)) === 0 ? backend.removeMatching(`k${yield* int(4)}*`) : Effect.void
      case "read":
        return yield* backend.read(key)
      case "addTags":
        return yield* backend.addTags(key, [`t${yield* int(20)}`, ...some])
      case "invalidate":
        return yield* tags.invalidate(some)
      case "ensure":
        return yield* tags.ensure(some, 100)
      case "clear":
        return yield* (yield* int(30)) === 0 ? backend.clear : Effect.void
      case "takeOver":
        return yield* backend.takeOver(key, token, 10, (["write", "refresh", "set"] as const)[yield* int(3)]!)
      case "release":
        return yield* backend.release(key, token, (yield* int(2)) === 0 ? "keep" : "unlink")
      case "await": {
        const waiter = yield* Effect.forkChild(backend.awaitRelease(key, token), { startImmediately: true })
        return yield* (yield* int(2)) === 0 ? backend.remove([key]) : Fiber.interrupt(waiter)
      }
      case "tick":
        return yield* TestClock.adjust(yield* int(20))
    }
  })

  it.effect("gives back every part of an entry, whatever came and went beside it", () =>
    Effect.gen(function*() {
      const { state } = yield* makeMemoryPrimitivesWithState({ maxEntries: 5_000 })
      const numbered = (n: number, tags: ReadonlyArray<string>): CacheEntry => ({
        born: 2 ** 40 + n,
        createdAt: 1.7e12 + n,
        freshUntil: n % 7 === 0 ? Infinity : 1.8e12 + n,
        loadMillis: n % 1_000,
        fingerprint: `f${n % 3}`,
        tags,
        value: n % 11 === 0 ? undefined : n
      })
      const kept = new Map<string, CacheEntry>()
      for (let n = 0; n < 6_000; n++) {
        const key = `k${n % 3_000}`
        if (n % 5 === 0) {
          state.remove(`k${(n * 7) % 3_000}`, 0)
          kept.delete(`k${(n * 7) % 3_000}`)
        }
        kept.set(key, numbered(n, n % 2 === 0 ? [] : [`t${n % 13}`]))
        state.store(key, kept.get(key)!, ever, 0)
        if (n % 9 === 0) {
          state.addTags(key, ["more"], 0)
          kept.set(key, { ...kept.get(key)!, tags: [...kept.get(key)!.tags, "more"] })
        }
        if (n === 4_000) {
          state.clear()
          kept.clear()
        }
      }
      assert.isAbove(kept.size, 1_000)
      assert.strictEqual(state.entries.size, kept.size)
      for (const [key, expected] of kept) {
        assert.deepStrictEqual(state.entries.peek(key, 0), expected)
        assert.deepStrictEqual(state.entries.get(key, 0), expected)
        const stamp = stamps.of(expected.fingerprint).number
        assert.strictEqual(state.entries.pick(key, stamp, 0), expected.tags.length === 0 ? expected.value : absent)
        assert.strictEqual(state.entries.pick(key, 0, 0), absent)
      }
    })
  )

  it.effect.prop(
    "the bounds hold after every operation, and nothing leaks",
    {
      maxEntries: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })),
      maxBytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20_000 })),
      seed: Schema.Int
    },
    ({ maxBytes, maxEntries, seed }) =>
      Effect.gen(function*() {
        const made = yield* makeMemoryPrimitivesWithState({ maxEntries, maxBytes })
        for (let i = 0; i < 300; i++) {
          yield* act(made, 2000)
          checkState(made.state, maxEntries, maxBytes)
          const usage = yield* made.backend.usage
          assert.strictEqual(usage.entries, made.state.entries.size)
        }
        for (const [key, lease] of [...made.state.leases]) yield* made.backend.release(key, lease.token, "keep")
        assert.strictEqual(made.state.leases.size, 0)
        yield* made.backend.remove(Array.from({ length: 40 }, (_, i) => `k${i}`))
        assert.strictEqual(made.state.entries.size, 0)
        assert.strictEqual(made.state.entries.weight, 0)
        assert.strictEqual(made.state.markers.size, made.state.markers.idle)
        yield* made.backend.clear
        assert.strictEqual(made.state.markers.size + made.state.entries.ghostSize, 0)
      }).pipe(Random.withSeed(`${seed}`)),
    { arbitrary: { runs: 40, seed: 1 } }
  )
})
