/**
 * Fibers of one transaction that run at once, or outlive it, and connections that are used again.
 */
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { CacheClient, writeThrough } from "effect-cache"
import { makeGate } from "../../support/client.ts"
import { type Id, number, type Open, Row, test } from "./setup.ts"

export const outliving = (open: Open): void => {
  describe("fibers of a transaction", () => {
    test(open, "two writes of a row at once: neither is filled, because nobody knows which was the last", (world) =>
      Effect.gen(function*() {
        const { begin, db, isFree, peek, put, read, transaction } = world
        yield* begin("a", 1)
        const gate = makeGate<number>()
        const slow = writeThrough(Row)(({ id }: Id) => Effect.flatMap(db.write(id, 6), gate.pass))
        yield* transaction(
          Effect.gen(function*() {
            const first = yield* Effect.forkChild(slow({ id: "a" }))
            yield* gate.reached
            yield* put({ id: "a", n: 7 })
            yield* gate.open
            yield* Fiber.join(first)
          })
        )
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 7)
        yield* isFree("a")
        yield* transaction(put({ id: "a", n: 8 }))
        assert.strictEqual(yield* peek("a"), 8)
      })
    )

    for (const [name, change] of [
      ["an invalidation", CacheClient.use((cache) => cache.invalidateKeys(["row:a"]))],
      ["a pattern", CacheClient.use((cache) => cache.invalidatePattern("row:*"))],
      ["a set", CacheClient.use((cache) => cache.set("row:a", 7, number))]
    ] as const) {
      test(open, `${name} while a write of the key runs: it is not filled`, (world) =>
        Effect.gen(function*() {
          const { begin, db, isFree, peek, read, transaction } = world
          yield* begin("a", 1)
          const gate = makeGate<number>()
          const slow = writeThrough(Row)(({ id }: Id) => Effect.flatMap(db.write(id, 6), gate.pass))
          yield* transaction(
            Effect.gen(function*() {
              const first = yield* Effect.forkChild(slow({ id: "a" }))
              yield* gate.reached
              yield* db.write("a", 7)
              yield* change
              yield* gate.open
              yield* Fiber.join(first)
            })
          )
          assert.isUndefined(yield* peek("a"))
          assert.strictEqual(yield* read("a"), 7)
          yield* isFree("a")
        })
      )
    }

    test(open, "writes of many rows at once are filled", (world) =>
      Effect.gen(function*() {
        const { peek, put, transaction } = world
        const ids = Array.from({ length: 300 }, (_, i) => `many${i}`)
        yield* transaction(Effect.forEach(ids, (id) => put({ id, n: 7 }), { concurrency: "unbounded" }))
        assert.deepStrictEqual(new Set(yield* Effect.forEach(ids, peek)), new Set([7]))
      })
    )

    test(
      open,
      "one that outlives its transaction acts at once, and what runs now on its connection is not its business",
      (world) =>
        Effect.gen(function*() {
          const { begin, db, get, isFree, peek, put, read, transaction } = world
          for (const id of ["a", "b", "c"]) yield* begin(id, 1)
          const goOn = yield* Deferred.make<void>()
          const cache = yield* world.out(CacheClient)
          const late = yield* transaction(
            Effect.andThen(
              put({ id: "a", n: 6 }),
              Effect.forkDetach(
                Effect.andThen(
                  Deferred.await(goOn),
                  Effect.gen(function*() {
                    yield* get.invalidate({ id: "a" })
                    assert.isUndefined(yield* peek("a"))
                    yield* cache.invalidatePattern("row:b")
                    assert.isUndefined(yield* peek("b"))
                    yield* cache.set("row:b", 9, number)
                    yield* get.refresh({ id: "b" })
                    yield* get({ id: "b" })
                    assert.isUndefined(yield* peek("b"), "what it loads may be of another transaction")
                  })
                )
              )
            )
          )
          assert.strictEqual(yield* peek("a"), 6)
          // The connection is the same.
          yield* transaction(
            Effect.gen(function*() {
              yield* db.write("c", 7)
              yield* cache.invalidateTags(["rows"])
              yield* Deferred.succeed(goOn, undefined)
              assert.isTrue(Exit.isSuccess(yield* Fiber.await(late)))
              assert.strictEqual(yield* read("c"), 1)
              assert.strictEqual(yield* peek("c"), 1)
              assert.strictEqual(yield* get({ id: "c" }), 7, "what was noted is known still")
            })
          )
          assert.isUndefined(yield* peek("c"))
          for (const id of ["a", "b", "c"]) yield* isFree(id)
          assert.deepStrictEqual([...new Set(db.log.filter((line) => line.includes("BEGIN")))], ["0: BEGIN"])
        })
    )

    test(open, "one that outlives its savepoint is of the transaction still", (world) =>
      Effect.gen(function*() {
        const { begin, isFree, peek, put, read, savepoint, transaction } = world
        for (const id of ["a", "b"]) yield* begin(id, 1)
        const goOn = yield* Deferred.make<void>()
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "b", n: 7 })
            const late = yield* savepoint(
              Effect.forkDetach(Effect.andThen(Deferred.await(goOn), put({ id: "a", n: 7 })))
            )
            yield* Deferred.succeed(goOn, undefined)
            yield* Fiber.join(late)
            assert.strictEqual(yield* read("a"), 1)
            assert.isUndefined(yield* peek("a"), "the lease is held")
          })
        )
        assert.deepStrictEqual([yield* peek("a"), yield* peek("b")], [undefined, 7])
        assert.strictEqual(yield* read("a"), 7)
        yield* isFree("a")
      })
    )

    test(open, "a write that is under way when its transaction ends is removed when it has ended", (world) =>
      Effect.gen(function*() {
        const { begin, db, isFree, out, peek, read, transaction } = world
        yield* begin("a", 1)
        const gate = makeGate<number>()
        // As if its statement had been sent on by another connection.
        const slow = writeThrough(Row)(({ id, n }: Id & { readonly n: number }) =>
          Effect.andThen(gate.pass(n), Effect.orDie(out(db.write(id, n))))
        )
        const late = yield* transaction(
          Effect.gen(function*() {
            const fiber = yield* Effect.forkDetach(slow({ id: "a", n: 7 }))
            yield* gate.reached
            return fiber
          })
        )
        assert.strictEqual(yield* read("a"), 1)
        assert.strictEqual(yield* peek("a"), 1)
        yield* gate.open
        yield* Fiber.join(late)
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 7)
        yield* isFree("a")
      })
    )

    test(open, "a cached function whose loader has a transaction of its own, and a write around one", (world) =>
      Effect.gen(function*() {
        const { begin, db, get, isFree, out, peek, savepoint } = world
        yield* begin("a", 1)
        const count = world.loads()
        const loader = Effect.fnUntraced(function*({ id }: Id) {
          return yield* savepoint(Effect.andThen(db.write("b", 7), db.read(id)))
        })
        const through = writeThrough(Row)(({ id, n }: Id & { readonly n: number }) => savepoint(db.write(id, n)))
        assert.strictEqual(yield* out(through({ id: "a", n: 7 })), 7)
        assert.strictEqual(yield* peek("a"), 7)
        const other = writeThrough(Row)(loader)
        yield* out(other({ id: "b" }))
        assert.strictEqual(yield* peek("b"), 7)
        assert.strictEqual(yield* out(get({ id: "b" })), 7)
        assert.strictEqual(world.loads(), count)
        // One that is written and invalidated within, and around.
        const both = writeThrough(Row)(({ id, n }: Id & { readonly n: number }) =>
          savepoint(Effect.andThen(db.write(id, n), Effect.as(Effect.orDie(get.invalidate({ id })), n)))
        )
        yield* out(both({ id: "a", n: 8 }))
        assert.isUndefined(yield* peek("a"))
        yield* isFree("a")
      })
    )
  })
}
