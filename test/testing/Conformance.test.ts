/**
 * The conformance kit: a backend that keeps the contract passes, and each way to break it is found, with its story.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { CacheError, type CachePrimitives, Unavailable } from "effect-cache"
import { Conformance, type ConformanceCase, ConformanceFailure, type ConformanceGroup } from "effect-cache/testing"
import { openMapStore } from "../../examples/custom-backend/mapBackend.ts"
import { openUnfencedStore } from "../../examples/custom-backend/unfenced.ts"
import { toCase } from "../../src/testing/conformance/case.ts"
import { conformance } from "../contract/conformance.ts"

conformance("a backend on Maps", openMapStore, [
  "CacheBackend",
  "TagIndex",
  "LockStore",
  "hints",
  "evictions",
  "protocol",
  "sharing",
  "histories"
])

const find = (cases: ReadonlyArray<ConformanceCase>, name: string): ConformanceCase =>
  cases.find((one) => one.name === name) ?? assert.fail(`there is no case ${name}`)

type Backend = Partial<CachePrimitives["backend"]>
type Tags = Partial<CachePrimitives["tags"]>
type Locks = Partial<CachePrimitives["locks"]>

/** The backend on Maps, changed. */
const openWith = (change: {
  readonly backend?: (right: CachePrimitives["backend"]) => Backend
  readonly tags?: (right: CachePrimitives["tags"]) => Tags
  readonly locks?: (right: CachePrimitives["locks"]) => Locks
}) =>
  Effect.map(openMapStore, (store) => ({
    ...store,
    connect: Effect.map(store.connect, ({ backend, locks, tags }) => ({
      backend: { ...backend, ...change.backend?.(backend) },
      tags: { ...tags, ...change.tags?.(tags) },
      locks: { ...locks, ...change.locks?.(locks) }
    }))
  }))

interface Mistake {
  readonly what: string
  readonly change: Parameters<typeof openWith>[0]
  readonly caught: ReadonlyArray<readonly [group: ConformanceGroup, name: string]>
}

const mistakes: ReadonlyArray<Mistake> = [
  {
    what: "an absent lease lets a fill pass",
    change: {
      backend: (right) => ({
        fill: (key, token, write, onLost) =>
          Effect.andThen(right.acquire(key, token, 1_000), right.fill(key, token, write, onLost))
      })
    },
    caught: [
      ["CacheBackend", "an absent lease rejects the fill"],
      ["protocol", "rule: fence on fill"]
    ]
  },
  {
    what: "remove forgets the lease",
    change: {
      backend: (right) => ({
        remove: (keys) =>
          Effect.map(
            Effect.forEach(keys, (key) =>
              Effect.flatMap(right.acquire(key, "own", 10_000), (holder) =>
                Effect.tap(right.remove([key]), () =>
                  holder === "own" ? Effect.void : right.takeOver(key, holder, 10_000, "refresh")
                )
              )
            ),
            (counts) => counts.reduce((sum, count) => sum + count, 0)
          )
      })
    },
    caught: [
      ["CacheBackend", "remove drops entry and lease, so a load in flight cannot store"],
      ["protocol", "rule: key invalidation drops the lease"]
    ]
  },
  {
    what: "remove does nothing",
    change: { backend: () => ({ remove: () => Effect.succeed(0) }) },
    // Of the four seeds, the one that has never missed it: time is real.
    caught: [["histories", "random history, seed 4"]]
  },
  {
    what: "takeOver respects the holder",
    change: {
      backend: (right) => ({
        takeOver: (key, token, ttlMillis) => Effect.map(right.acquire(key, token, ttlMillis), (holder) => ({ holder }))
      })
    },
    caught: [
      ["CacheBackend", "takeOver replaces any holder, and unlinks the entry only when asked"],
      ["protocol", "rule: write-through takes the lease over"]
    ]
  },
  {
    what: "a fill that lost leaves the entry",
    change: { backend: (right) => ({ fill: (key, token, write) => right.fill(key, token, write, "keep") }) },
    caught: [
      ["CacheBackend", "of two writes neither leaves a value, and the lease ends with the last (w:one ends first)"],
      ["evictions", "rule: a write that lost its lease unlinks"]
    ]
  },
  {
    what: "patterns remove nothing",
    change: {
      backend: () => ({ removeMatching: () => Effect.succeed(0) })
    },
    caught: [
      ["CacheBackend", "removeMatching drops entries and leases that match, and no others"],
      ["protocol", "rule: after a pattern, a load in flight does not store"]
    ]
  },
  {
    what: "addTags forgets the end",
    change: {
      backend: (right) => ({
        addTags: (key, tags) =>
          Effect.tap(right.addTags(key, tags), () =>
            Effect.flatMap(right.read(key), (stored) =>
              stored === undefined
                ? Effect.void
                : right
                    .takeOver(key, "own", 1_000, "refresh")
                    .pipe(Effect.andThen(right.fill(key, "own", { stored, ttlMillis: Infinity }, "keep")))
            )
          )
      })
    },
    caught: [["CacheBackend", "addTags adds to the header and leaves value, born and end alone"]]
  },
  {
    what: "an invalidation does not move the epoch",
    change: { tags: (right) => ({ epoch: Effect.succeed(1), invalidate: right.invalidate }) },
    caught: [
      ["TagIndex", "the epoch stays until something is invalidated, and then grows"],
      ["protocol", "rule: join only with the same epoch"]
    ]
  },
  {
    what: "markers are made, and stay, at zero",
    change: {
      tags: (right) => ({
        markers: (tags) => Effect.map(right.markers(tags), (found) => found.map((marker) => marker && 0))
      })
    },
    caught: [
      ["TagIndex", "ensure creates a missing marker at the epoch of now"],
      ["evictions", "rule: a marker is created at the current epoch"]
    ]
  },
  {
    what: "a lost marker reads as never invalidated",
    change: {
      tags: (right) => ({
        markers: (tags) => Effect.map(right.markers(tags), (found) => found.map((marker) => marker ?? 0))
      })
    },
    caught: [
      ["TagIndex", "a tag nobody ensured has no marker"],
      ["evictions", "rule: a missing marker is stale"]
    ]
  },
  {
    what: "anybody may release a lock",
    change: { locks: () => ({ release: () => Effect.succeed(true) }) },
    caught: [["LockStore", "only the holder extends and releases"]]
  }
]

describe("a mistake is found", () => {
  for (const { caught, change, what } of mistakes) {
    it.live(what, () =>
      Effect.gen(function*() {
        const cases = Conformance.cases(openWith(change))
        for (const [group, name] of caught) {
          const failure = yield* Effect.flip(find(cases, name).run)
          assert.deepStrictEqual([failure.group, failure.name], [group, name])
        }
      })
    )
  }
})

describe("a story", () => {
  it.live("tells what was done, what was expected, and what came", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(find(Conformance.cases(openUnfencedStore), "rule: fence on fill").run)
      assert.instanceOf(failure, ConformanceFailure)
      assert.strictEqual(
        failure.message,
        `protocol: rule: fence on fill

  a: read('row:1') gave nothing
  a: acquire('row:1', token 1, 5000) gave token 1
  a: epoch gave 1
  a: read('row:1') gave nothing
  a load reads row 1: version 0
  the load has 0, and waits
  row 1 changes to version 1
  b: remove([ 'row:1' ]) gave 0
  the load goes on
  a: fill('row:1', token 1, <entry of 0, born 1, ttl 60000>, 'keep') gave true
  b: read('row:1') gave <entry of 0, born 1>

  what is stored after the invalidation
    expected  nothing
    came      0`
      )
    })
  )

  it.live("of a long case has the last steps", () =>
    Effect.gen(function*() {
      const open = openWith({ backend: () => ({ remove: () => Effect.succeed(7) }) })
      const failure = yield* Effect.flip(find(Conformance.cases(open), "remove takes thousands of keys").run)
      assert.strictEqual(failure.steps[0], "(5961 steps before)")
      assert.strictEqual(failure.steps.length, 41)
      assert.strictEqual(
        failure.steps[40],
        "remove([ 'k:0', 'k:1', 'k:2', 'k:3', 'k:4', 'k:5', ... 9994 more items ]) gave 7"
      )
      assert.deepStrictEqual([failure.about, failure.expected, failure.actual], ["the entries removed", "3000", "7"])
    })
  )

  it.live("of a primitive that fails has its error", () =>
    Effect.gen(function*() {
      const gone = new CacheError({
        reason: new Unavailable({ backend: "map", operation: "read", cause: new Error("gone") })
      })
      const open = openWith({ backend: () => ({ read: () => Effect.fail(gone) }) })
      const failure = yield* Effect.flip(find(Conformance.cases(open), "an absent lease rejects the fill").run)
      assert.deepStrictEqual(failure.steps, [
        "fill('k', 'a', <entry of 1, born 1, ttl Infinity>, 'keep') gave false",
        "read('k') failed: Unavailable: read on map failed: gone"
      ])
      assert.include(failure.actual, "read on map failed: gone")
    })
  )

  it.live("of a store that does not open has its error", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(find(Conformance.cases(Effect.fail("no such host")), "no tags, no work").run)
      assert.strictEqual(failure.expected, "an end without an error")
      assert.include(failure.actual, "no such host")
    })
  )

  it.live("of a store that cannot evict says so", () =>
    Effect.gen(function*() {
      const open = Effect.map(openMapStore, (store) => ({ ...store, evict: undefined }))
      const failure = yield* Effect.flip(find(Conformance.cases(open), "rule: a missing marker is stale").run)
      assert.strictEqual(failure.about, "evict of the store")
    })
  )

  // On the test clock, which nobody moves.
  it.effect("of a case that hangs has its end", () =>
    Effect.gen(function*() {
      const script = {
        group: "hints",
        name: "waits",
        body: ({ connect }) =>
          Effect.flatMap(connect(""), ({ backend }) =>
            Effect.andThen(backend.acquire("k", "a", 10_000), backend.awaitRelease("k", "a"))
          )
      } satisfies Parameters<typeof toCase>[1]
      const failure = yield* Effect.flip(toCase(openMapStore, script, 50).run)
      assert.deepStrictEqual(failure.steps, [
        "acquire('k', 'a', 10000) gave 'a'",
        "awaitRelease('k', 'a') was interrupted"
      ])
      assert.strictEqual(failure.expected, "an end within 0.05 seconds")
    })
  )
})

describe("the kit", () => {
  it("names each case once in its group", () => {
    const cases = Conformance.cases(openMapStore)
    assert.strictEqual(new Set(cases.map(({ group, name }) => `${group}: ${name}`)).size, cases.length)
  })

  it.live("closes what it opened, also when it is interrupted", () =>
    Effect.gen(function*() {
      const opened = Deferred.makeUnsafe<void>()
      let closed = 0
      const open = openMapStore.pipe(
        Effect.tap(() => Effect.addFinalizer(() => Effect.sync(() => closed++))),
        Effect.map((store) => ({
          ...store,
          connect: Effect.andThen(Deferred.succeed(opened, undefined), Effect.never)
        }))
      )
      const fiber = yield* Effect.forkChild(find(Conformance.cases(open), "no tags, no work").run)
      yield* Deferred.await(opened)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(closed, 1)
    })
  )

  it.live("reports what passed and what failed", () =>
    Effect.gen(function*() {
      const names = ["one holder at a time", "no tags, no work"]
      const open = openWith({ locks: () => ({ acquire: () => Effect.succeed(undefined) }) })
      const report = yield* Conformance.check(Conformance.cases(open).filter(({ name }) => names.includes(name)))
      assert.deepStrictEqual(
        report.passed.map(({ name }) => name),
        ["no tags, no work"]
      )
      assert.strictEqual(
        Conformance.render(report),
        `FAILED  LockStore: one holder at a time

  acquire('l', 'a', 10000) gave nothing

  the fence
    expected  a whole number
    came      nothing

1 passed, 1 failed`
      )
    })
  )
})
