/**
 * The ends of a transaction: committed, rolled back, interrupted, unknown.
 */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Schema } from "effect"
import { SqlError } from "effect/sql"
import { CacheClient, writeThrough } from "effect-cache"
import { until } from "../../support/until.ts"
import { changes, type Id, number, type Open, Row, test } from "./setup.ts"

export const ends = (open: Open): void => {
  describe("the ends of a transaction", () => {
    for (const { isNoted, leaves, name, run } of changes) {
      const change = (world: Parameters<typeof run>[0]) =>
        Effect.gen(function*() {
          yield* world.db.write("a", 7)
          yield* run(world)
          assert.strictEqual(yield* world.read("a"), 1, "who is outside reads what was committed")
          assert.strictEqual(yield* world.peek("a"), isNoted ? 1 : undefined)
        })

      test(open, `${name}, committed: seen to before withTransaction returns`, (world) =>
        Effect.gen(function*() {
          const { begin, isFree, peek, read, transaction } = world
          yield* begin("a", 1)
          yield* transaction(change(world))
          assert.strictEqual(yield* peek("a"), leaves)
          assert.strictEqual(yield* read("a"), 7)
          yield* isFree("a")
        })
      )

      test(open, `${name}, rolled back: nothing is left, and the lease is given back`, (world) =>
        Effect.gen(function*() {
          const { begin, isFree, read, transaction } = world
          yield* begin("a", 1)
          assert.strictEqual(
            yield* Effect.flip(transaction(Effect.andThen(change(world), Effect.fail("rolled back")))),
            "rolled back"
          )
          assert.strictEqual(yield* read("a"), 1)
          yield* isFree("a")
        })
      )

      test(open, `${name}, interrupted: nothing is left, and the lease is given back`, (world) =>
        Effect.gen(function*() {
          const { begin, isFree, peek, read, transaction } = world
          yield* begin("a", 1)
          const changed = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkChild(
            transaction(
              Effect.andThen(change(world), Effect.andThen(Deferred.succeed(changed, undefined), Effect.never))
            )
          )
          yield* Deferred.await(changed)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(yield* read("a"), 1)
          yield* isFree("a")
          assert.strictEqual(yield* peek("a"), 1)
        })
      )

      for (const [fate, n] of [
        ["unheard", 7],
        ["lost", 1]
      ] as const) {
        test(open, `${name}, COMMIT ${fate}: nothing is left, and nothing stored while the lease lasts`, (world) =>
          Effect.gen(function*() {
            const { begin, db, peek, read, transaction } = world
            yield* begin("a", 1)
            db.commits(fate)
            assert.instanceOf(yield* Effect.flip(transaction(change(world))), SqlError.SqlError)
            db.commits(undefined)
            if (isNoted) yield* until(Effect.map(read("a"), (found) => found === n))
            else {
              assert.strictEqual(yield* read("a"), n)
              // By its end, which is a lease away.
              assert.isUndefined(yield* peek("a"))
            }
          })
        )
      }
    }

    test(open, "while COMMIT is under way nothing is stored, and after it what was written is", (world) =>
      Effect.gen(function*() {
        const { begin, db, peek, put, read, transaction } = world
        yield* begin("a", 1)
        const fate = { hangs: yield* Deferred.make<void>(), until: yield* Deferred.make<void>() }
        db.commits(fate)
        const fiber = yield* Effect.forkChild(transaction(put({ id: "a", n: 7 })))
        yield* Deferred.await(fate.hangs)
        assert.strictEqual(yield* read("a"), 1)
        assert.isUndefined(yield* peek("a"))
        yield* Deferred.succeed(fate.until, undefined)
        yield* Fiber.join(fiber)
        assert.strictEqual(yield* peek("a"), 7)
      })
    )

    test(open, "each key once, by its last write", (world) =>
      Effect.gen(function*() {
        const { begin, peek, put, transaction } = world
        yield* begin("a", 1)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 5 })
            yield* put({ id: "a", n: 6 })
            yield* put({ id: "b", n: 6 })
            yield* put({ id: "a", n: 7 })
          })
        )
        assert.deepStrictEqual([yield* peek("a"), yield* peek("b")], [7, 6])
      })
    )

    for (const [name, invalidation] of [
      ["by key", CacheClient.use((cache) => cache.invalidateKeys(["row:a"]))],
      ["by pattern", CacheClient.use((cache) => cache.invalidatePattern("row:*"))],
      ["by tag", CacheClient.use((cache) => cache.invalidateTags(["rows"]))],
      ["all", CacheClient.use((cache) => cache.clear)]
    ] as const) {
      test(open, `an invalidation ${name} after a write of the key: it is not filled`, (world) =>
        Effect.gen(function*() {
          const { begin, isFree, peek, put, read, transaction } = world
          yield* begin("a", 1)
          yield* transaction(Effect.andThen(put({ id: "a", n: 7 }), invalidation))
          assert.isUndefined(yield* peek("a"))
          assert.strictEqual(yield* read("a"), 7)
          yield* isFree("a")
        })
      )
    }

    test(open, "an invalidation by key before a write of the key: it is filled", (world) =>
      Effect.gen(function*() {
        const { begin, get, peek, put, transaction } = world
        yield* begin("a", 1)
        yield* transaction(Effect.andThen(get.invalidate({ id: "a" }), put({ id: "a", n: 7 })))
        assert.strictEqual(yield* peek("a"), 7)
      })
    )

    test(open, "a write that fails in a transaction that commits leaves nothing", (world) =>
      Effect.gen(function*() {
        const { begin, db, isFree, peek, put, read, transaction } = world
        yield* begin("a", 1)
        const fails = writeThrough(Row)(({ id }: Id) => Effect.andThen(db.write(id, 8), Effect.fail("no")))
        yield* transaction(Effect.andThen(put({ id: "a", n: 7 }), Effect.exit(fails({ id: "a" }))))
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 8)
        yield* isFree("a")
      })
    )

    test(open, "what is changed in a value after it was written is not stored", (world) =>
      Effect.gen(function*() {
        const { out, transaction } = world
        const Box = Schema.Struct({ n: Schema.mutableKey(Schema.Number) })
        const box = { n: 7 }
        const put = writeThrough({ key: "box", schema: Box, tags: ["rows"] })(Effect.sync(() => box))
        const stored = out(CacheClient.use((cache) => cache.get("box", Box)))
        yield* transaction(
          Effect.gen(function*() {
            yield* put
            box.n = 8
          })
        )
        const found = Option.getOrThrow(yield* stored)
        // By reference there is one object, as outside of a transaction.
        if (found !== box) assert.strictEqual(found.n, 7)
      })
    )

    test(open, "tags that are added to what was set are not lost: it is not stored", (world) =>
      Effect.gen(function*() {
        const { begin, peek, transaction } = world
        yield* begin("a", 1)
        yield* transaction(
          CacheClient.use((cache) => Effect.andThen(cache.set("row:a", 7, number), cache.tag("row:a", ["more"])))
        )
        assert.isUndefined(yield* peek("a"))
      })
    )

    test(open, "thousands of keys: more than are held are removed at once, and again after the commit", (world) =>
      Effect.gen(function*() {
        const { begin, isFree, peek, put, read, transaction } = world
        const last = "row:a"
        yield* begin("a", 1)
        const keys = Array.from({ length: 2_500 }, (_, i) => `other:${i}`)
        yield* transaction(
          Effect.gen(function*() {
            yield* CacheClient.use((cache) => cache.invalidateKeys([...keys, last]))
            yield* put({ id: "a", n: 7 })
            assert.strictEqual(yield* read("a"), 1)
            assert.strictEqual(yield* peek("a"), 1, "it is not held")
          })
        )
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 7)
        yield* isFree("a")
      })
    )
  })
}
