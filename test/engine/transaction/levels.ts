/**
 * Savepoints, and transactions of two databases in each other.
 */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger } from "effect"
import { CacheClient, invalidateTags } from "effect-cache"
import { makeDatabase } from "../../support/sql.ts"
import { number, type Open, test } from "./setup.ts"

/** What is logged at level Warn, by its first word behind the name. */
export const warnings = () => {
  const all: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") all.push(String(Array.isArray(message) ? message[0] : message))
  })
  return { all, heard: Effect.provide(Logger.layer([logger])) }
}

export const levels = (open: Open): void => {
  describe("savepoints", () => {
    test(open, "what one wrote that was committed is filled, also over what was written around it", (world) =>
      Effect.gen(function*() {
        const { begin, peek, put, savepoint, transaction } = world
        yield* begin("a", 1)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 5 })
            yield* savepoint(savepoint(put({ id: "a", n: 7 })))
            yield* savepoint(put({ id: "b", n: 8 }))
          })
        )
        assert.deepStrictEqual([yield* peek("a"), yield* peek("b")], [7, 8])
      })
    )

    test(open, "what one wrote that was rolled back is removed, also where it was written around it", (world) =>
      Effect.gen(function*() {
        const { begin, isFree, peek, put, read, savepoint, transaction } = world
        for (const id of ["a", "b", "c", "d"]) yield* begin(id, 1)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            yield* Effect.exit(
              savepoint(
                Effect.gen(function*() {
                  yield* savepoint(put({ id: "a", n: 8 }))
                  yield* put({ id: "b", n: 8 })
                  yield* put({ id: "c", n: 8 })
                  return yield* Effect.fail("rolled back")
                })
              )
            )
            yield* put({ id: "c", n: 7 })
            yield* put({ id: "d", n: 7 })
          })
        )
        assert.deepStrictEqual(yield* Effect.forEach(["a", "b", "c", "d"], read), [7, 1, 7, 7])
        assert.strictEqual(yield* peek("d"), 7)
        for (const id of ["a", "b", "c"]) {
          yield* isFree(id)
          assert.strictEqual(yield* peek(id), id === "b" ? 1 : 7)
        }
      })
    )

    test(open, "what a later one made old by a tag is not stored before that is carried out", (world) =>
      Effect.gen(function*() {
        const { begin, client, db, peek, put, read, savepoint, transaction } = world
        yield* begin("a", 1)
        let between: number | undefined
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            // Behind the calls of the outermost level, and before those of the savepoint.
            yield* db.sql.afterCommit(
              Effect.orDie(
                Effect.map(peek("a"), (stored) => {
                  between = stored
                })
              )
            )
            yield* savepoint(Effect.andThen(db.write("a", 8), client.run(invalidateTags(["rows"]))))
          })
        )
        assert.isUndefined(between)
        assert.strictEqual(yield* read("a"), 8)
      })
    )

    test(
      open,
      "one that has the connection next is not taken for the one of which only savepoints were seen",
      (world) =>
        Effect.gen(function*() {
          const { begin, db, isFree, peek, put, read, savepoint, transaction } = world
          for (const id of ["a", "b"]) yield* begin(id, 1)
          const gate = yield* Deferred.make<void>()
          const reached = yield* Deferred.make<void>()
          const first = yield* Effect.forkChild(
            transaction(
              Effect.gen(function*() {
                yield* savepoint(put({ id: "b", n: 7 }))
                // Its connection is free by then, and its last call is still to come.
                yield* db.sql.afterCommit(Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(gate)))
                yield* savepoint(invalidateTags(["other"]))
              })
            )
          )
          yield* Deferred.await(reached)
          yield* transaction(
            Effect.gen(function*() {
              yield* put({ id: "a", n: 9 })
              yield* Deferred.succeed(gate, undefined)
              yield* Fiber.join(first)
              // The end of the first gives nothing of it back.
              yield* isFree("b")
              assert.strictEqual(yield* read("a"), 1)
              assert.isUndefined(yield* peek("a"))
            })
          )
          assert.strictEqual(yield* peek("a"), 9)
          assert.strictEqual(yield* read("a"), 9)
        })
    )

    test(open, "what one noted that was rolled back is dropped, not what it unlinked", (world) =>
      Effect.gen(function*() {
        const { begin, isFree, peek, savepoint, transaction } = world
        for (const id of ["a", "b"]) yield* begin(id, 1)
        const cache = yield* world.out(CacheClient)
        yield* transaction(
          Effect.exit(
            savepoint(
              Effect.gen(function*() {
                yield* cache.invalidateTags(["rows"])
                yield* cache.invalidatePattern("row:*")
                yield* cache.invalidateKeys(["row:b"])
                assert.isUndefined(yield* peek("b"))
                return yield* Effect.fail("rolled back")
              })
            )
          )
        )
        assert.strictEqual(yield* peek("a"), 1)
        assert.isUndefined(yield* peek("b"))
        yield* isFree("b")
      })
    )

    test(open, "what one noted that was committed is carried out after the outermost commit", (world) =>
      Effect.gen(function*() {
        const { begin, peek, savepoint, transaction } = world
        yield* begin("a", 1)
        const cache = yield* world.out(CacheClient)
        yield* transaction(
          Effect.andThen(
            savepoint(cache.invalidateTags(["rows"])),
            Effect.map(peek("a"), (n) => assert.strictEqual(n, 1))
          )
        )
        assert.isUndefined(yield* peek("a"))
      })
    )

    test(open, "a transaction of which only savepoints are seen ends as others do", (world) =>
      Effect.gen(function*() {
        const { begin, db, isFree, peek, put, read, savepoint, transaction } = world
        yield* begin("a", 1)
        yield* Effect.exit(
          transaction(
            Effect.gen(function*() {
              yield* savepoint(put({ id: "a", n: 8 }))
              return yield* Effect.fail("rolled back")
            })
          )
        )
        assert.strictEqual(yield* read("a"), 1)
        yield* isFree("a")
        yield* transaction(
          Effect.gen(function*() {
            yield* savepoint(put({ id: "a", n: 6 }))
            yield* Effect.exit(savepoint(Effect.andThen(put({ id: "b", n: 6 }), Effect.fail("rolled back"))))
            yield* savepoint(put({ id: "a", n: 7 }))
            yield* db.write("c", 1)
          })
        )
        assert.strictEqual(yield* peek("a"), 7)
        yield* isFree("b")
        assert.strictEqual(yield* peek("b"), 0)
      })
    )
  })

  describe("two databases", () => {
    test(open, "without the client of the transaction at hand: at once, nothing is stored, and one warning", (world) =>
      Effect.gen(function*() {
        const { begin, db, get, loads, peek, put, transaction } = world
        const { all, heard } = warnings()
        const other = yield* makeDatabase()
        const cache = yield* world.out(CacheClient)
        for (const id of ["a", "b", "c"]) yield* begin(id, 1)
        yield* transaction(
          other.use(
            Effect.gen(function*() {
              assert.strictEqual(yield* put({ id: "a", n: 7 }), 7)
              assert.isUndefined(yield* peek("a"))
              yield* world.read("a")
              assert.strictEqual(yield* peek("a"), 1, "a reader before the commit may store the old row")
              assert.strictEqual(yield* get({ id: "a" }), 7, "but here it is known")
              yield* db.write("b", 7)
              yield* cache.set("row:b", 7, number)
              yield* cache.invalidateTags(["rows"])
              assert.isUndefined(yield* peek("c"))
              const before = loads()
              yield* get({ id: "c" })
              assert.strictEqual(loads(), before + 1)
            })
          )
        ).pipe(heard)
        assert.deepStrictEqual(all.filter((text) => text.includes("SqlClient is not among")).length, 2, "one a region")
      })
    )

    test(open, "one within the other: each with its own client, and nothing is stored of the inner one", (world) =>
      Effect.gen(function*() {
        const { begin, get, isFree, peek, put, transaction } = world
        const { all, heard } = warnings()
        const other = yield* makeDatabase()
        for (const id of ["a", "b", "c"]) yield* begin(id, 1)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            yield* other.transaction(
              Effect.gen(function*() {
                // It may be made of rows of both.
                yield* put({ id: "b", n: 7 })
                yield* get.invalidate({ id: "c" })
                assert.strictEqual(yield* get({ id: "b" }), 7)
                yield* world.read("b")
                assert.isUndefined(yield* peek("b"), "it is held")
                yield* other.sql.afterCommit(Effect.asVoid(Effect.orDie(get({ id: "d" }))))
              })
            )
            assert.isUndefined(yield* peek("d"), "a callback of the inner one is in the outer one")
            yield* world.read("b")
          })
        ).pipe(heard)
        assert.strictEqual(yield* peek("a"), 7)
        for (const id of ["b", "c"]) yield* isFree(id)
        assert.deepStrictEqual(all, [])
      })
    )
  })
}
