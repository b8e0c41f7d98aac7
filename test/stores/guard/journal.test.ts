/**
 * What is written down, how much of it, and how it is carried out.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { CacheError, NotReplicated, Unavailable } from "effect-cache"
import { Journal } from "../../../src/stores/guard/journal.ts"
import { makeMemoryPrimitives } from "../../../src/stores/memory/primitives.ts"

const gone = new CacheError({
  reason: new Unavailable({ backend: "fake", operation: "test", cause: new Error("gone") })
})
const lagging = new CacheError({
  reason: new NotReplicated({ backend: "fake", replicas: 1, acknowledged: 0, millis: 1 })
})

const count = 1_000
const limits = { count, bytes: 1_000_000 }
const keys = Array.from({ length: count }, (_, i) => `k${i}`)

/** A store that writes down what it is asked, and answers as told. */
const recording = (answer: (call: number) => Effect.Effect<void, CacheError>, together = true) =>
  Effect.map(makeMemoryPrimitives({}), ({ backend, tags }) => {
    const calls: Array<readonly [string, ReadonlyArray<string>]> = []
    const asked = (name: string, args: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        calls.push([name, args])
        return Effect.as(answer(calls.length), 0)
      })
    const primitives = {
      backend: {
        ...backend,
        remove: (list: ReadonlyArray<string>) => asked("remove", list),
        removeMatching: (pattern: string) => asked("removeMatching", [pattern]),
        clear: Effect.asVoid(asked("clear", [])),
        fast: together ? { removeMatchingAny: (list: ReadonlyArray<string>) => asked("removeMatchingAny", list) } : {}
      },
      tags: { ...tags, invalidate: (list: ReadonlyArray<string>) => Effect.asVoid(asked("invalidate", list)) }
    }
    return { calls, primitives }
  })

describe("the journal", () => {
  it.effect("is carried out in batches, and each that was acknowledged is struck off", () =>
    Effect.gen(function*() {
      const journal = new Journal(limits)
      journal.addKeys(keys)
      const { calls, primitives } = yield* recording((call) => (call === 3 ? Effect.fail(gone) : Effect.void))
      assert.deepStrictEqual(yield* Effect.exit(journal.replay(primitives)), Exit.fail(gone))
      const done = calls.slice(0, 2).flatMap(([, batch]) => batch)
      assert.strictEqual(journal.size, count - done.length)
      calls.length = 0
      const rest = yield* recording(() => Effect.void)
      yield* journal.replay(rest.primitives)
      assert.sameMembers([...done, ...rest.calls.flatMap(([, batch]) => batch)], keys)
      assert.isAtLeast(rest.calls.length, 2)
      assert.isTrue(journal.isEmpty)
    })
  )

  it.effect("does all patterns at once, twice; and where the store cannot, each by itself", () =>
    Effect.gen(function*() {
      for (const together of [true, false]) {
        const journal = new Journal(limits)
        journal.addPatterns(["a*", "b*"])
        journal.addTags(["t"])
        const { calls, primitives } = yield* recording(() => Effect.void, together)
        yield* journal.replay(primitives)
        const one = (pattern: string) => ["removeMatching", [pattern]] as const
        const all = ["removeMatchingAny", ["a*", "b*"]] as const
        assert.deepStrictEqual(calls, [
          ["invalidate", ["t"]],
          ...(together ? [all, all] : [one("a*"), one("a*"), one("b*"), one("b*")])
        ])
      }
    })
  )

  it.effect("keeps what comes while the same is carried out", () =>
    Effect.gen(function*() {
      const journal = new Journal(limits)
      journal.addTags(["t"])
      const { calls, primitives } = yield* recording((call) =>
        Effect.sync(() => {
          if (call === 1) journal.addTags(["t"])
        })
      )
      yield* journal.replay(primitives)
      assert.deepStrictEqual(calls, [
        ["invalidate", ["t"]],
        ["invalidate", ["t"]]
      ])
    })
  )

  it.effect("has struck off what only replicas lack", () =>
    Effect.gen(function*() {
      const journal = new Journal(limits)
      journal.addKeys(keys)
      const { primitives } = yield* recording(() => Effect.fail(lagging))
      yield* journal.replay(primitives)
      assert.isTrue(journal.isEmpty)
    })
  )

  it.effect("holds so many, and so many bytes; beyond that the namespace is cleared, and it says so once", () =>
    Effect.gen(function*() {
      const few = keys.slice(0, 10)
      const large = [..."abcdefghij"].map((letter) => letter.repeat(100_000))
      for (const [list, full] of [
        [few, false],
        [keys, false],
        [[...keys, "one more"], true],
        [large.slice(0, 4), false],
        [large, true]
      ] as const) {
        const journal = new Journal(limits)
        journal.addTags(list)
        // Repeats cost nothing.
        journal.addTags(list)
        assert.deepStrictEqual([journal.takeOverflow(), journal.takeOverflow()], [full, false])
        const { calls, primitives } = yield* recording(() => Effect.void)
        yield* journal.replay(primitives)
        if (full) assert.deepStrictEqual(calls, [["clear", []]])
        else
          assert.sameMembers(
            calls.flatMap(([, batch]) => batch),
            [...list]
          )
        // What was struck off makes room.
        journal.addTags(few)
        assert.isFalse(journal.takeOverflow())
        assert.strictEqual(journal.size, 10)
      }
    })
  )

  it.effect("a clear that fails stays, and is no overflow", () =>
    Effect.gen(function*() {
      const journal = new Journal(limits)
      journal.addEverything()
      const { primitives } = yield* recording(() => Effect.fail(gone))
      yield* Effect.exit(journal.replay(primitives))
      assert.deepStrictEqual([journal.isEmpty, journal.takeOverflow()], [false, false])
    })
  )
})
