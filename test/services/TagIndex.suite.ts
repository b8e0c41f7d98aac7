/**
 * What every `TagIndex` must do. Run it from the test file of each implementation.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { hostile, type MakePrimitives, type Primitives, type SuiteOptions } from "./primitives.ts"

export const suite = (name: string, makePrimitives: MakePrimitives, options: SuiteOptions): void => {
  const test = (title: string, body: (primitives: Primitives) => Effect.Effect<void, unknown>) =>
    it.effect(title, () => Effect.scoped(Effect.flatMap(makePrimitives, body)))
  const marker = ({ tags }: Primitives, tag: string) => Effect.map(tags.markers([tag]), (found) => found[0])

  describe(`TagIndex: ${name}`, () => {
    test(
      "the epoch stays until something is invalidated, and then grows",
      Effect.fnUntraced(function*({ tags }) {
        const first = yield* tags.epoch
        assert.isTrue(Number.isSafeInteger(first) && first >= 0)
        assert.strictEqual(yield* tags.epoch, first)
        yield* tags.ensure(["a"], 60_000)
        assert.strictEqual(yield* tags.epoch, first)
        let last = first
        for (let i = 0; i < 20; i++) {
          yield* tags.invalidate(["a"])
          const next = yield* tags.epoch
          assert.isAbove(next, last)
          last = next
        }
      })
    )

    test(
      "no tags, no work",
      Effect.fnUntraced(function*({ tags }) {
        assert.deepStrictEqual(yield* tags.markers([]), [])
        yield* tags.ensure([], 1000)
        yield* tags.invalidate([])
      })
    )

    test(
      "a tag nobody ensured has no marker",
      Effect.fnUntraced(function*({ tags }) {
        assert.deepStrictEqual(yield* tags.markers(["a", "b"]), [undefined, undefined])
      })
    )

    test(
      "ensure creates a missing marker at the epoch of now",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        const born = yield* tags.epoch
        yield* tags.invalidate(["other"])
        const now = yield* tags.epoch
        yield* tags.ensure(["a", "b"], 60_000)
        // Not `born`: had an invalidation of "a" been lost with its marker, a lower one would bring its entries back.
        assert.deepStrictEqual(yield* tags.markers(["a", "b"]), [now, now])
        assert.isAbove(now, born)
      })
    )

    test(
      "ensure leaves a marker that exists alone",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        yield* tags.ensure(["a"], 60_000)
        const before = yield* marker(primitives, "a")
        yield* tags.invalidate(["other"])
        yield* tags.ensure(["a", "a"], 60_000)
        assert.strictEqual(yield* marker(primitives, "a"), before)
      })
    )

    test(
      "an entry born at the epoch of an ensure is valid under its markers",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        const born = yield* tags.epoch
        yield* tags.ensure(["a"], 60_000)
        assert.isAtMost((yield* marker(primitives, "a"))!, born)
        yield* tags.invalidate(["a"])
        assert.isAbove((yield* marker(primitives, "a"))!, born)
        assert.isAtMost((yield* marker(primitives, "a"))!, yield* tags.epoch)
      })
    )

    test(
      "invalidate raises exactly the tags it names",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        yield* tags.ensure(["a", "b", "c"], 60_000)
        const before = yield* tags.markers(["a", "b", "c"])
        yield* tags.invalidate(["a", "c", "a"])
        const after = yield* tags.markers(["a", "b", "c"])
        assert.isAbove(after[0]!, before[0]!)
        assert.strictEqual(after[1], before[1])
        assert.strictEqual(after[2], after[0])
        assert.strictEqual(after[0], yield* tags.epoch)
      })
    )

    test(
      "invalidate marks a tag nobody ensured",
      Effect.fnUntraced(function*(primitives) {
        const born = yield* primitives.tags.epoch
        yield* primitives.tags.invalidate(["a"])
        assert.isAbove((yield* marker(primitives, "a"))!, born)
      })
    )

    test(
      "concurrent invalidations never lower a marker",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        yield* tags.ensure(["a"], 60_000)
        let last = (yield* marker(primitives, "a"))!
        const watch = Effect.forEach(Array.from({ length: 50 }), () =>
          Effect.map(marker(primitives, "a"), (found) => {
            assert.isAtLeast(found!, last)
            last = found!
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
        assert.strictEqual(yield* marker(primitives, "a"), yield* tags.epoch)
      })
    )

    test(
      "concurrent ensures agree on one marker",
      Effect.fnUntraced(function*({ tags }) {
        yield* Effect.forEach(Array.from({ length: 100 }), () => tags.ensure(["a", "b"], 60_000), {
          concurrency: "unbounded"
        })
        const now = yield* tags.epoch
        assert.deepStrictEqual(yield* tags.markers(["a", "b"]), [now, now])
      })
    )

    test(
      "a marker outlives the TTL it was ensured for, and a shorter ensure does not cut it",
      Effect.fnUntraced(function*(primitives) {
        const { tags } = primitives
        yield* tags.ensure(["a"], 50)
        yield* tags.ensure(["a"], 60_000)
        yield* tags.ensure(["a"], 50)
        yield* tags.ensure(["ever"], 50)
        yield* tags.ensure(["ever"], Number.POSITIVE_INFINITY)
        yield* tags.ensure(["ever"], 50)
        yield* tags.ensure(["new"], Number.POSITIVE_INFINITY)
        yield* tags.ensure(["invalidated"], 60_000)
        yield* tags.invalidate(["invalidated"])
        yield* options.advance(150)
        const found = yield* tags.markers(["a", "ever", "new", "invalidated"])
        assert.isTrue(found.every(Number.isFinite))
      })
    )

    test(
      "hostile tags are kept apart",
      Effect.fnUntraced(function*({ tags }) {
        yield* tags.ensure(hostile, 60_000)
        const before = yield* tags.markers(hostile)
        // A marker that was made is an epoch: `Infinity` is for one that is still being made.
        assert.isTrue(before.every((value) => Number.isSafeInteger(value) && value === before[0]))
        for (const [i, tag] of hostile.entries()) {
          yield* tags.invalidate([tag])
          const found = yield* tags.markers(hostile)
          assert.strictEqual(found[i], yield* tags.epoch)
          for (let j = i + 1; j < hostile.length; j++)
            assert.strictEqual(found[j], before[j], JSON.stringify(hostile[j]))
        }
      })
    )

    it.effect("two stores do not see each other's tags", () =>
      Effect.scoped(
        Effect.gen(function*() {
          const one = yield* makePrimitives
          const two = yield* makePrimitives
          yield* one.tags.ensure(hostile, 60_000)
          const before = yield* one.tags.markers(hostile)
          assert.isTrue((yield* two.tags.markers(hostile)).every((found) => found === undefined))
          yield* two.tags.invalidate(hostile)
          assert.deepStrictEqual(yield* one.tags.markers(hostile), before)
        })
      )
    )

    const evict = options.evict
    if (evict !== undefined) {
      test(
        "a lost marker is missing until ensured again, and comes back at the epoch of now",
        Effect.fnUntraced(function*(primitives) {
          const { tags } = primitives
          yield* tags.ensure(["a"], 60_000)
          const born = yield* tags.epoch
          yield* tags.invalidate(["a"])
          yield* evict.marker(primitives, "a")
          assert.isUndefined(yield* marker(primitives, "a"))
          yield* tags.ensure(["a"], 60_000)
          assert.isAbove((yield* marker(primitives, "a"))!, born)
          assert.strictEqual(yield* marker(primitives, "a"), yield* tags.epoch)
        })
      )

      test(
        "a lost epoch comes back above every value it had",
        Effect.fnUntraced(function*(primitives) {
          const { tags } = primitives
          yield* tags.ensure(["a"], 60_000)
          for (let i = 0; i < 5; i++) {
            yield* tags.invalidate(["a"])
            const before = yield* tags.epoch
            yield* evict.epoch(primitives)
            const after = yield* tags.epoch
            assert.isAbove(after, before)
            yield* evict.epoch(primitives)
            yield* tags.invalidate(["a"])
            assert.isAbove((yield* marker(primitives, "a"))!, after)
            yield* evict.epoch(primitives)
            yield* tags.ensure(["b"], 60_000)
            assert.isAbove((yield* marker(primitives, "b"))!, 0)
            yield* evict.marker(primitives, "b")
          }
        })
      )
    }
  })
}
