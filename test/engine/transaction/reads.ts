/**
 * Reads in a transaction.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, memoize, stampedeProtect } from "effect-cache"
import { makeGate } from "../../support/client.ts"
import { changes, type Id, type Open, Row, test, type World } from "./setup.ts"

/** Nothing of the row is seen that the transaction did not make itself. */
const seesItsOwn = ({ get }: World) =>
  Effect.gen(function*() {
    const cache = yield* CacheClient
    assert.strictEqual(yield* get({ id: "a" }), 7)
    assert.strictEqual(yield* Effect.map(get({ id: "a" }), (n) => n), 7)
    assert.isTrue(Option.isNone(yield* get.peek({ id: "a" })))
    assert.isTrue(Option.isNone(yield* cache.get("row:a", Schema.Number)))
    assert.deepStrictEqual((yield* cache.getMany(["row:a", "row:b"], Schema.Number)).map(Option.isSome), [false, false])
  })

export const reads = (open: Open): void => {
  describe("reads in a transaction", () => {
    test(open, "a hit is served", (world) =>
      Effect.gen(function*() {
        const { begin, get, loads, transaction } = world
        yield* begin("a", 1)
        yield* transaction(
          Effect.gen(function*() {
            const cache = yield* CacheClient
            assert.strictEqual(yield* get({ id: "a" }), 1)
            assert.deepStrictEqual(yield* get.peek({ id: "a" }), Option.some(1))
            assert.deepStrictEqual(yield* cache.get("row:a", Schema.Number), Option.some(1))
            assert.deepStrictEqual(yield* cache.getMany(["row:a"], Schema.Number), [Option.some(1)])
          })
        )
        assert.strictEqual(loads(), 1)
      })
    )

    test(open, "a miss is for the caller alone, and nothing is stored", (world) =>
      Effect.gen(function*() {
        const { db, get, peek, read, savepoint, transaction } = world
        yield* Effect.exit(
          transaction(
            Effect.gen(function*() {
              yield* db.write("a", 7)
              assert.strictEqual(yield* get({ id: "a" }), 7)
              assert.strictEqual(yield* savepoint(get({ id: "a" })), 7)
              assert.isUndefined(yield* peek("a"))
              return yield* Effect.fail("rolled back")
            })
          )
        )
        assert.isUndefined(yield* peek("a"))
        assert.strictEqual(yield* read("a"), 0)
      })
    )

    for (const [name, pattern] of [
      ["cacheAside", cacheAside(Row)],
      ["stampedeProtect", stampedeProtect(Row)]
    ] as const) {
      test(
        open,
        `${name}: no load is shared with a reader outside, in neither direction, and no lease is taken`,
        (world) =>
          Effect.gen(function*() {
            const { out, peek, transaction } = world
            const gates = [makeGate<number>(), makeGate<number>()] as const
            let inside = 0
            // What a transaction would see is given by the gate that it passes.
            const get = pattern(({ id }: Id) =>
              id === "a" ? (inside++ === 0 ? gates[0].pass(7) : Effect.succeed(1)) : gates[1].pass(1)
            )
            const reader = yield* Effect.forkChild(transaction(get({ id: "a" })))
            yield* gates[0].reached
            assert.strictEqual(yield* out(get({ id: "a" })), 1)
            assert.strictEqual(yield* peek("a"), 1, "stored, so nobody else had the lease")
            yield* gates[0].open
            assert.strictEqual(yield* Fiber.join(reader), 7)
            assert.strictEqual(yield* peek("a"), 1)

            const first = yield* Effect.forkChild(out(get({ id: "b" })))
            yield* gates[1].reached
            const alone = pattern((_: Id) => Effect.succeed(7))
            assert.strictEqual(yield* transaction(alone({ id: "b" })), 7)
            yield* gates[1].open
            assert.strictEqual(yield* Fiber.join(first), 1)
            assert.strictEqual(yield* peek("b"), 1)
          })
      )
    }

    for (const { isNoted, name, run } of changes) {
      for (const where of ["at its outermost level", "in a savepoint", "in a savepoint that was rolled back"]) {
        test(open, `${name} ${where}: what was stored is not seen any more`, (world) =>
          Effect.gen(function*() {
            const { begin, db, peek, read, savepoint, transaction } = world
            yield* begin("a", 1)
            yield* transaction(
              Effect.gen(function*() {
                yield* db.write("a", 7)
                if (where === "at its outermost level") yield* run(world)
                else if (where === "in a savepoint") yield* savepoint(run(world))
                else yield* Effect.exit(savepoint(Effect.andThen(run(world), Effect.fail("rolled back"))))
                assert.strictEqual(yield* read("a"), 1)
                if (isNoted) assert.strictEqual(yield* peek("a"), 1)
                yield* seesItsOwn(world)
                yield* savepoint(seesItsOwn(world))
              })
            )
          })
        )
      }
    }

    test(
      open,
      "a key of a region without a schema, invalidated among keys of all stores, is not seen any more",
      (world) =>
        Effect.gen(function*() {
          const { db, out, transaction } = world
          const get = memoize({ name: "plain", ttl: "1 hour" })(({ id }: Id) => db.read(id))
          yield* db.write("a", 1)
          yield* out(get({ id: "a" }))
          yield* transaction(
            Effect.gen(function*() {
              yield* db.write("a", 7)
              yield* CacheClient.use((cache) => cache.invalidateKeys([get.key({ id: "a" })]))
              yield* out(get({ id: "a" }))
              assert.strictEqual(yield* get({ id: "a" }), 7)
            })
          )
          assert.strictEqual(yield* out(get({ id: "a" })), 7)
        })
    )
  })
}
