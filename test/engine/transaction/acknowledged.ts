/**
 * What holds when `withTransaction` has returned, which is the acknowledgement.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { cacheAside, writeAround } from "effect-cache"
import { makeGate } from "../../support/client.ts"
import { makeDatabase } from "../../support/sql.ts"
import { type Id, type Open, Row, type Services, test, type World } from "./setup.ts"

/** The end of a transaction, and of its savepoints, is not heard of in that moment. */
const hidden = <A, E>(self: Effect.Effect<A, E, Services>) => Effect.withSpan(self, "root", { root: true })

/** A load of the old row, for which the key of the row is held, while a savepoint that wrote it was rolled back. */
export const joinsNothingFromBefore = (
  { begin, client, db, out, put, savepoint, transaction }: World,
  seen: typeof hidden = hidden
) =>
  Effect.gen(function*() {
    yield* begin("a", 1)
    const gate = makeGate<number>()
    let loads = 0
    const get = cacheAside(Row)(({ id }: Id) =>
      Effect.flatMap(db.read(id), (n) => (loads++ === 0 ? gate.pass(n) : Effect.succeed(n)))
    )
    let before: Fiber.Fiber<number> | undefined
    yield* transaction(
      seen(
        Effect.gen(function*() {
          yield* put({ id: "a", n: 7 })
          yield* Effect.exit(savepoint(Effect.andThen(put({ id: "a", n: 8 }), Effect.fail("rolled back"))))
          before = yield* Effect.forkDetach(out(get({ id: "a" })))
          assert.strictEqual(yield* gate.reached, 1)
        })
      )
    )
    const after = yield* Effect.forkChild(out(get({ id: "a" })))
    yield* client.settle
    yield* gate.open
    assert.strictEqual(yield* Fiber.join(after), 7)
    assert.strictEqual(yield* Fiber.join(before!), 1)
  })

export const acknowledged = (open: Open): void => {
  describe("when withTransaction has returned", () => {
    test(open, "a load from before is not joined, of what a savepoint wrote, too", (world) =>
      joinsNothingFromBefore(world, (self) => self)
    )

    test(open, "a call that was under way behind a savepoint leaves no lease", (world) =>
      Effect.gen(function*() {
        const { begin, db, isFree, put, savepoint, transaction } = world
        yield* begin("a", 1)
        yield* begin("b", 1)
        let late: Fiber.Fiber<unknown, unknown> | undefined
        // So many that the transaction has committed before it holds any of them.
        const keys = ["row:a", ...Array.from({ length: 50_000 }, (_, i) => `other:${i}`)]
        const drop = writeAround({ keys })(Effect.void)
        yield* transaction(
          Effect.gen(function*() {
            yield* put({ id: "a", n: 7 })
            // Behind the calls of the outermost level, and before those of the savepoint.
            yield* db.sql.afterCommit(Effect.suspend(() => Effect.asVoid(Fiber.await(late!))))
            yield* savepoint(
              Effect.gen(function*() {
                yield* put({ id: "b", n: 7 })
                late = yield* Effect.forkDetach(drop, { startImmediately: true })
              })
            )
          })
        )
        yield* isFree("a")
        yield* isFree("b")
      })
    )
  })

  describe("a transaction sees what it did", () => {
    test(open, "where its client is not at hand: a refresh", (world) =>
      Effect.gen(function*() {
        const { begin, db, get, peek, read, transaction } = world
        yield* begin("a", 1)
        const other = yield* makeDatabase()
        yield* transaction(
          other.use(
            Effect.gen(function*() {
              yield* db.write("a", 7)
              assert.strictEqual(yield* get.refresh({ id: "a" }), 7)
              assert.strictEqual(yield* read("a"), 1)
              assert.strictEqual(yield* peek("a"), 1, "a reader before the commit may store the old row")
              assert.strictEqual(yield* get({ id: "a" }), 7)
            })
          )
        )
      })
    )

    test(open, "also within a transaction of another database", (world) =>
      Effect.gen(function*() {
        const { begin, db, get, savepoint, transaction } = world
        yield* begin("a", 1)
        const other = yield* makeDatabase()
        yield* transaction(
          Effect.gen(function*() {
            yield* db.write("a", 7)
            yield* get.clear
            yield* other.transaction(
              Effect.map(get({ id: "a" }), (n) => assert.strictEqual(n, 7, "the client of the inner one"))
            )
            yield* savepoint(
              other.use(Effect.map(get({ id: "a" }), (n) => assert.strictEqual(n, 7, "no client, in a savepoint")))
            )
          })
        )
      })
    )
  })
}
