/**
 * The rules of database transactions, for `npm run ablations`. What else they do is tested in `test/engine/transaction`.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { CacheClient } from "effect-cache"
import { joinsNothingFromBefore } from "../engine/transaction/acknowledged.ts"
import { type Open, test } from "../engine/transaction/setup.ts"

export const transactionRules = (open: Open): void => {
  test(open, "rule: a miss in a transaction is private", ({ db, get, peek, read, transaction }) =>
    Effect.gen(function*() {
      yield* Effect.exit(
        transaction(
          Effect.gen(function*() {
            yield* db.write("a", 7)
            assert.strictEqual(yield* get({ id: "a" }), 7)
            assert.isUndefined(yield* peek("a"))
            return yield* Effect.fail("rolled back")
          })
        )
      )
      assert.strictEqual(yield* read("a"), 0)
    })
  )

  test(open, "rule: a write in a transaction is filled only after the commit", ({ begin, peek, put, transaction }) =>
    Effect.gen(function*() {
      yield* begin("a", 1)
      yield* transaction(
        Effect.gen(function*() {
          yield* put({ id: "a", n: 7 })
          assert.isUndefined(yield* peek("a"))
        })
      )
      assert.strictEqual(yield* peek("a"), 7)
    })
  )

  test(open, "rule: what a savepoint wrote that was rolled back is not filled", (world) =>
    Effect.gen(function*() {
      const { begin, put, read, savepoint, transaction } = world
      yield* begin("a", 1)
      yield* transaction(
        Effect.andThen(
          put({ id: "b", n: 7 }),
          Effect.exit(savepoint(Effect.andThen(put({ id: "a", n: 8 }), Effect.fail("rolled back"))))
        )
      )
      assert.strictEqual(yield* read("a"), 1)
    })
  )

  test(open, "rule: what a transaction has changed is settled before it is acknowledged", (world) =>
    joinsNothingFromBefore(world)
  )

  test(open, "rule: a write is not filled that something in the transaction overtook", (world) =>
    Effect.gen(function*() {
      const { begin, db, peek, put, read, savepoint, transaction } = world
      yield* begin("a", 1)
      yield* transaction(
        Effect.gen(function*() {
          yield* savepoint(put({ id: "a", n: 8 }))
          yield* put({ id: "b", n: 8 })
          yield* db.write("a", 7)
          yield* db.write("b", 7)
          yield* CacheClient.use((cache) => cache.invalidateKeys(["row:b"]))
          yield* CacheClient.use((cache) => cache.invalidatePattern("row:a"))
        })
      )
      assert.deepStrictEqual([yield* peek("a"), yield* peek("b")], [undefined, undefined])
      assert.deepStrictEqual([yield* read("a"), yield* read("b")], [7, 7])
    })
  )
}
