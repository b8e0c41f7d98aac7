/**
 * What every `TagIndex` must do, also when its bookkeeping is lost.
 */
import { Effect } from "effect"
import { type ConformanceStore, evictOf, type Script } from "./case.ts"
import { expect } from "./expect.ts"
import type { Recorded } from "./record.ts"
import { hostile } from "./values.ts"

type Tags = Recorded["tags"]

const tagCase = (
  name: string,
  body: (tags: Tags, store: ConformanceStore) => Effect.Effect<void, unknown>
): Script => ({
  group: "TagIndex",
  name,
  body: ({ connect, store }) => Effect.flatMap(connect(""), ({ tags }) => body(tags, store))
})

const marker = (tags: Tags, tag: string) => Effect.map(tags.markers([tag]), (found) => found[0] ?? Number.NaN)

export const tagCases: ReadonlyArray<Script> = [
  tagCase(
    "the epoch stays until something is invalidated, and then grows",
    Effect.fnUntraced(function*(tags) {
      const first = yield* tags.epoch
      expect("the epoch", first).fits("a whole number, 0 or more", Number.isSafeInteger(first) && first >= 0)
      expect("the epoch, asked again", yield* tags.epoch).is(first)
      yield* tags.ensure(["a"], 60_000)
      expect("the epoch after an ensure", yield* tags.epoch).is(first)
      let last = first
      for (let i = 0; i < 20; i++) {
        yield* tags.invalidate(["a"])
        const next = yield* tags.epoch
        expect("the epoch after an invalidation", next).isAbove(last)
        last = next
      }
    })
  ),

  tagCase(
    "no tags, no work",
    Effect.fnUntraced(function*(tags) {
      expect("the markers of no tags", yield* tags.markers([])).is([])
      yield* tags.ensure([], 1000)
      yield* tags.invalidate([])
    })
  ),

  tagCase(
    "a tag nobody ensured has no marker",
    Effect.fnUntraced(function*(tags) {
      expect("the markers", yield* tags.markers(["a", "b"])).is([undefined, undefined])
    })
  ),

  tagCase(
    "ensure creates a missing marker at the epoch of now",
    Effect.fnUntraced(function*(tags) {
      const born = yield* tags.epoch
      yield* tags.invalidate(["other"])
      const now = yield* tags.epoch
      yield* tags.ensure(["a", "b"], 60_000)
      // Not `born`: had an invalidation of "a" been lost with its marker, a lower one would bring its entries back.
      expect("the markers", yield* tags.markers(["a", "b"])).is([now, now])
      expect("the epoch of now", now).isAbove(born)
    })
  ),

  tagCase(
    "ensure leaves a marker that exists alone",
    Effect.fnUntraced(function*(tags) {
      yield* tags.ensure(["a"], 60_000)
      const before = yield* marker(tags, "a")
      yield* tags.invalidate(["other"])
      yield* tags.ensure(["a", "a"], 60_000)
      expect("the marker after a second ensure", yield* marker(tags, "a")).is(before)
    })
  ),

  tagCase(
    "an entry born at the epoch of an ensure is valid under its markers",
    Effect.fnUntraced(function*(tags) {
      const born = yield* tags.epoch
      yield* tags.ensure(["a"], 60_000)
      expect("the marker", yield* marker(tags, "a")).isAtMost(born)
      yield* tags.invalidate(["a"])
      expect("the marker after an invalidation", yield* marker(tags, "a")).isAbove(born)
      expect("the marker after an invalidation", yield* marker(tags, "a")).isAtMost(yield* tags.epoch)
    })
  ),

  tagCase(
    "invalidate raises exactly the tags it names",
    Effect.fnUntraced(function*(tags) {
      yield* tags.ensure(["a", "b", "c"], 60_000)
      const before = yield* tags.markers(["a", "b", "c"])
      yield* tags.invalidate(["a", "c", "a"])
      const after = yield* tags.markers(["a", "b", "c"])
      expect("the marker of a tag that was named", after[0]).isAbove(before[0] ?? Number.NaN)
      expect("the marker of a tag that was not", after[1]).is(before[1])
      expect("the marker of the other tag that was named", after[2]).is(after[0])
      expect("the epoch", yield* tags.epoch).is(after[0])
    })
  ),

  tagCase(
    "an entry from before an invalidation is not valid, also if nobody ensured the tag",
    Effect.fnUntraced(function*(tags) {
      const born = yield* tags.epoch
      yield* tags.invalidate(["a"])
      // A marker may stay missing: then everything under it is stale.
      const [found = Infinity] = yield* tags.markers(["a"])
      expect("the marker", found).isAbove(born)
      yield* tags.ensure(["a"], 60_000)
      expect("the marker that was made", yield* marker(tags, "a")).isAbove(born)
    })
  ),

  tagCase(
    "concurrent invalidations never lower a marker",
    Effect.fnUntraced(function*(tags) {
      yield* tags.ensure(["a"], 60_000)
      let last = yield* marker(tags, "a")
      const watch = Effect.forEach(Array.from({ length: 50 }), () =>
        Effect.map(marker(tags, "a"), (found) => {
          expect("the marker", found).isAtLeast(last)
          last = found
        })
      )
      yield* Effect.all(
        [
          watch,
          Effect.forEach(Array.from({ length: 50 }), () => tags.invalidate(["a"]), { concurrency: 10 }),
          Effect.forEach(Array.from({ length: 50 }), () => tags.ensure(["a"], 60_000), { concurrency: 10 })
        ],
        { concurrency: "unbounded" }
      )
      expect("the marker in the end", yield* marker(tags, "a")).is(yield* tags.epoch)
    })
  ),

  tagCase(
    "concurrent ensures agree on one marker",
    Effect.fnUntraced(function*(tags) {
      yield* Effect.forEach(Array.from({ length: 100 }), () => tags.ensure(["a", "b"], 60_000), {
        concurrency: "unbounded"
      })
      const now = yield* tags.epoch
      expect("the markers", yield* tags.markers(["a", "b"])).is([now, now])
    })
  ),

  tagCase(
    "a marker outlives the TTL it was ensured for, and a shorter ensure does not cut it",
    Effect.fnUntraced(function*(tags, { advance }) {
      yield* tags.ensure(["a"], 50)
      yield* tags.ensure(["a"], 60_000)
      yield* tags.ensure(["a"], 50)
      yield* tags.ensure(["ever"], 50)
      yield* tags.ensure(["ever"], Number.POSITIVE_INFINITY)
      yield* tags.ensure(["ever"], 50)
      yield* tags.ensure(["new"], Number.POSITIVE_INFINITY)
      yield* tags.ensure(["invalidated"], 60_000)
      yield* tags.invalidate(["invalidated"])
      yield* advance(150)
      const found = yield* tags.markers(["a", "ever", "new", "invalidated"])
      expect("the markers", found).fits("four epochs", found.length === 4 && found.every(Number.isFinite))
    })
  ),

  tagCase(
    "hostile tags are kept apart",
    Effect.fnUntraced(function*(tags) {
      yield* tags.ensure(hostile, 60_000)
      const before = yield* tags.markers(hostile)
      // A marker that was made is an epoch: `Infinity` is for one that is still being made.
      expect("the markers", before).fits(
        `${hostile.length} times the same epoch`,
        before.length === hostile.length && before.every((found) => Number.isSafeInteger(found) && found === before[0])
      )
      for (const [i, tag] of hostile.entries()) {
        yield* tags.invalidate([tag])
        const found = yield* tags.markers(hostile)
        expect(`the marker of ${JSON.stringify(tag)}`, found[i]).is(yield* tags.epoch)
        for (let j = i + 1; j < hostile.length; j++) {
          expect(`the marker of ${JSON.stringify(hostile[j])}`, found[j]).is(before[j])
        }
      }
    })
  ),

  {
    group: "TagIndex",
    name: "two stores do not see each other's tags",
    body: Effect.fnUntraced(function*({ connect, connectElsewhere }) {
      const one = yield* connect("one: ")
      const two = yield* connectElsewhere("two: ")
      yield* one.tags.ensure(hostile, 60_000)
      const before = yield* one.tags.markers(hostile)
      expect("the markers in the other", yield* two.tags.markers(hostile)).is(hostile.map(() => undefined))
      yield* two.tags.invalidate(hostile)
      expect("the markers in the one", yield* one.tags.markers(hostile)).is(before)
    })
  },

  {
    ...tagCase(
      "a lost marker is missing until ensured again, and comes back at the epoch of now",
      Effect.fnUntraced(function*(tags, store) {
        const evict = evictOf(store)
        yield* tags.ensure(["a"], 60_000)
        const born = yield* tags.epoch
        yield* tags.invalidate(["a"])
        yield* evict("marker", "a")
        expect("the marker that was lost", yield* tags.markers(["a"])).is([undefined])
        yield* tags.ensure(["a"], 60_000)
        expect("the marker that was made again", yield* marker(tags, "a")).isAbove(born)
        expect("the marker that was made again", yield* marker(tags, "a")).is(yield* tags.epoch)
      })
    ),
    group: "evictions"
  },

  {
    ...tagCase(
      "a lost epoch comes back above every value it had",
      Effect.fnUntraced(function*(tags, store) {
        const evict = evictOf(store)
        yield* tags.ensure(["a"], 60_000)
        for (let i = 0; i < 5; i++) {
          yield* tags.invalidate(["a"])
          const before = yield* tags.epoch
          yield* evict("epoch", "")
          const after = yield* tags.epoch
          expect("the epoch, made again by a look at it", after).isAbove(before)
          yield* evict("epoch", "")
          yield* tags.invalidate(["a"])
          expect("the marker of an invalidation that made it again", yield* marker(tags, "a")).isAbove(after)
          yield* evict("epoch", "")
          yield* tags.ensure(["b"], 60_000)
          expect("the marker of an ensure that made it again", yield* marker(tags, "b")).isAbove(0)
          yield* evict("marker", "b")
        }
      })
    ),
    group: "evictions"
  }
]
