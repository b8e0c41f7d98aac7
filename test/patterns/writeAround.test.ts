import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheError, type KeysOptions, writeAround } from "effect-cache"
import { inProcess } from "../support/layers.ts"

type Id = { readonly id: string }
type Ids = { readonly ids: ReadonlyArray<string> }

const region = { key: "row:{id}", schema: Schema.String, ttl: "1 minute" } as const

/** A table, and what reads it. */
const tableOf = (...ids: ReadonlyArray<string>) => {
  const rows = new Map(ids.map((id) => [id, `row ${id}`]))
  const get = cacheAside(region)(({ id }: Id) => Effect.sync(() => rows.get(id) ?? "gone"))
  return { rows, get, drop: ({ id }: Id) => Effect.sync(() => rows.delete(id)) }
}
const set = (key: string, tags: ReadonlyArray<string> = []) =>
  CacheClient.use((cache) => cache.set(key, 1, { schema: Schema.Number, tags }))
const there = (key: string) =>
  Effect.map(
    CacheClient.use((cache) => cache.get(key, Schema.Number)),
    Option.isSome
  )

for (const [name, layer] of inProcess) {
  describe(`writeAround on ${name}`, () => {
    const test = (title: string, body: () => Effect.Effect<void, unknown, CacheClient>) =>
      it.effect(title, () => body().pipe(Effect.provide(layer)))

    test("empties the slot of its key, holds its lease meanwhile, and gives back what the write gives", () =>
      Effect.gen(function*() {
        const { drop, get, rows } = tableOf("1", "2")
        yield* get({ id: "1" })
        const [before, after] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const [begun, committed] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const remove = writeAround(region)((id: Id) =>
          Effect.gen(function*() {
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(before)
            const there = yield* drop(id)
            yield* Deferred.succeed(committed, undefined)
            yield* Deferred.await(after)
            return { there, at: new Date(0) }
          })
        )
        const fiber = yield* Effect.forkChild(remove({ id: "1" }))
        yield* Deferred.await(begun)
        // The old row is loaded, and not stored.
        assert.strictEqual(yield* get({ id: "1" }), "row 1")
        yield* Deferred.succeed(before, undefined)
        yield* Deferred.await(committed)
        assert.isTrue(Option.isNone(yield* get.peek({ id: "1" })))
        assert.isFalse(rows.has("1"))
        yield* Deferred.succeed(after, undefined)
        assert.deepStrictEqual(yield* Fiber.join(fiber), { there: true, at: new Date(0) })
        assert.isTrue(Option.isNone(yield* get.peek({ id: "1" })))
        assert.strictEqual(yield* get({ id: "1" }), "gone")
        // From here on loads are stored again.
        assert.isTrue(Option.isSome(yield* get.peek({ id: "1" })))
        const nothing = writeAround(region)((_: Id) => Effect.void)
        assert.isUndefined(yield* nothing({ id: "1" }))
      }))

    test("invalidates its lists, of what was written when it succeeded and of the fixed ones in any case", () =>
      Effect.gen(function*() {
        const all = ["list", "lists:1", "tagged", "made", "mades:1", "retagged"] as const
        const fill = Effect.all([
          ...all.slice(0, 2).map((key) => set(key)),
          set("tagged", ["t"]),
          set("made"),
          set("mades:1"),
          set("retagged", ["u 7"])
        ])
        const left = Effect.map(Effect.all(all.map(there)), (found) => all.filter((_, i) => found[i]))
        const fixed = { invalidateKeys: ["list"], invalidatePatterns: ["lists:*"], invalidateTags: ["t"] }
        const made = writeAround({ ...region, ...fixed })((_: Id) => Effect.succeed(7))
        yield* fill
        assert.strictEqual(yield* made({ id: "1" }), 7)
        assert.deepStrictEqual(yield* left, ["made", "mades:1", "retagged"])

        const follows = writeAround(region, {
          invalidateKeys: ({ params, value }: { readonly params: object; readonly value: number }) => {
            assert.deepStrictEqual([params, value], [{ id: "1" }, 7])
            return ["made"]
          },
          invalidatePatterns: () => ["mades:*"],
          invalidateTags: ({ value }) => [`u ${value}`]
        })
        yield* fill
        yield* follows((_: Id) => Effect.succeed(7))({ id: "1" })
        assert.deepStrictEqual(yield* left, ["list", "lists:1", "tagged"])

        yield* fill
        yield* Effect.exit(writeAround({ ...region, ...fixed })((_: Id) => Effect.fail("no answer"))({ id: "1" }))
        yield* Effect.exit(follows((_: Id) => Effect.fail("no answer"))({ id: "1" }))
        assert.deepStrictEqual(yield* left, ["made", "mades:1", "retagged"])
      }))

    test("a write that fails, dies or is interrupted leaves the slot empty and gives the lease back", () =>
      Effect.gen(function*() {
        for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
          const { drop, get } = tableOf("1")
          yield* get({ id: "1" })
          const exit = yield* Effect.exit(writeAround(region)((id: Id) => Effect.andThen(drop(id), end))({ id: "1" }))
          assert.isTrue(Exit.isFailure(exit))
          assert.isTrue(Option.isNone(yield* get.peek({ id: "1" })))
          assert.strictEqual(yield* get({ id: "1" }), "gone")
          assert.isTrue(Option.isSome(yield* get.peek({ id: "1" })))
          yield* get.invalidate({ id: "1" })
        }
      }))

    test("of a key that cannot be made it writes anyway, or fails before it", () =>
      Effect.gen(function*() {
        let writes = 0
        const write = (_: { readonly id: number }) => Effect.sync(() => ++writes)
        yield* set("list")
        const lists = { invalidateKeys: ["list"] }
        assert.strictEqual(yield* writeAround({ ...region, ...lists })(write)({ id: Number.NaN }), 1)
        assert.isFalse(yield* there("list"))
        const strict = writeAround({ ...region, onCacheError: "fail" })(write)
        assert.strictEqual((yield* Effect.flip(strict({ id: Number.NaN }))).reason._tag, "InvalidKey")
        assert.strictEqual(writes, 1)
      }))

    test("takes an effect, a receiver, and the write first", () =>
      Effect.gen(function*() {
        const { drop, get, rows } = tableOf("1", "2", "3")
        const plain = { key: "row:1", schema: Schema.String } as const
        const reset = Effect.sync(() => rows.set("1", "reset").size)
        yield* get({ id: "1" })
        for (const made of [
          writeAround(plain)(reset),
          writeAround(reset, plain),
          reset.pipe(writeAround({ keys: ["row:1"] })),
          writeAround(reset, { keys: ["row:1"] })
        ]) {
          rows.set("1", "old")
          yield* get.refresh({ id: "1" })
          assert.strictEqual(yield* made, 3)
          assert.strictEqual(yield* get({ id: "1" }), "reset")
        }
        const table = {
          rows,
          drop: writeAround(region)(function (this: { rows: Map<string, string> }, { id }: Id) {
            return Effect.sync(() => this.rows.delete(id))
          })
        }
        yield* get({ id: "2" })
        assert.isTrue(yield* table.drop({ id: "2" }))
        assert.strictEqual(yield* get({ id: "2" }), "gone")
        yield* get({ id: "3" })
        assert.isTrue(
          yield* writeAround(drop, { ...region, invalidateKeys: ({ value }) => [String(value)] })({ id: "3" })
        )
        assert.strictEqual(yield* get({ id: "3" }), "gone")
        const byPlace = { key: "at:{0}:{1}", schema: Schema.String } as const
        const at = cacheAside(byPlace)((x: number, y: number) => Effect.succeed(`${x} ${y}`))
        yield* at(1, 2)
        yield* writeAround(byPlace, { invalidateKeys: ({ params }) => [String((params as never)[1])] })(
          (_x: number, _y: number) => Effect.void
        )(1, 2)
        assert.isTrue(Option.isNone(yield* at.peek(1, 2)))
      }))

    test("of keys holds each once, and empties all", () =>
      Effect.gen(function*() {
        const ids = Array.from({ length: 3_000 }, (_, i) => String(i))
        const { get, rows } = tableOf(...ids)
        yield* Effect.forEach(ids, (id) => get({ id }), { discard: true })
        const [begun, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        let asked = 0
        const removeAll = writeAround({
          keys: ({ ids }: Ids) => {
            asked++
            return [...ids, ...ids].map((id) => get.key({ id }))
          },
          invalidateKeys: ({ params, value }) => [`count ${params.ids.length} ${String(value)}`]
        })((_: Ids & { readonly hard: boolean }) =>
          Effect.gen(function*() {
            yield* Deferred.succeed(begun, undefined)
            yield* Deferred.await(go)
            rows.clear()
            return ids.length
          })
        )
        yield* set("count 3000 3000")
        const fiber = yield* Effect.forkChild(removeAll({ ids, hard: true }))
        yield* Deferred.await(begun)
        for (const id of ["0", "299", "2999"]) {
          assert.strictEqual(yield* get({ id }), `row ${id}`)
          assert.isTrue(Option.isNone(yield* get.peek({ id })))
        }
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual(yield* Fiber.join(fiber), 3_000)
        assert.strictEqual(asked, 1)
        assert.isFalse(yield* there("count 3000 3000"))
        for (const id of ["0", "299", "2999"]) {
          assert.isTrue(Option.isNone(yield* get.peek({ id })))
          assert.strictEqual(yield* get({ id }), "gone")
          assert.isTrue(Option.isSome(yield* get.peek({ id })))
        }
      }))

    test("of keys that cannot be used writes anyway and empties the others, or fails before it", () =>
      Effect.gen(function*() {
        const { get, rows } = tableOf("1")
        const write = () => Effect.sync(() => rows.set("1", "new").size)
        const bad: ReadonlyArray<readonly [string, KeysOptions<unknown, unknown, "bypass">["keys"], boolean]> = [
          ["InvalidKey", () => ["row:1", "", "row:1"], true],
          ["InvalidOption", (() => "row:1") as never, false],
          ["InvalidOption", (() => ["row:1", 1]) as never, false],
          ["InvalidKey", () => [get.key({ id: Number.NaN as never })], false]
        ]
        for (const [reason, keys, empties] of bad) {
          rows.set("1", "old")
          yield* get.refresh({ id: "1" })
          assert.strictEqual(yield* writeAround({ keys })(write)(), 1)
          assert.strictEqual(yield* get({ id: "1" }), empties ? "new" : "old", reason)
          rows.set("1", "old")
          const error = yield* Effect.flip(writeAround({ keys, onCacheError: "fail" })(write)())
          assert.instanceOf(error, CacheError)
          assert.strictEqual(error.reason._tag, reason)
          assert.strictEqual(rows.get("1"), "old")
        }
        const none = writeAround({ keys: () => [], onCacheError: "fail" })(write)
        assert.strictEqual(yield* none(), 1)
        rows.set("1", "old")
        const bug = writeAround({
          keys: () => {
            throw new Error("bug")
          }
        })(write)
        assert.isTrue(Exit.hasDies(yield* Effect.exit(bug())))
        assert.strictEqual(rows.get("1"), "old")
      }))

    test("a list of the caller's may change while the write goes on", () =>
      Effect.gen(function*() {
        const { drop, get } = tableOf("1")
        yield* get({ id: "1" })
        const keys = Array.from({ length: 1_000 }, (_, i) => `other:${i}`)
        keys[999] = "row:1"
        const fiber = yield* Effect.forkChild(
          writeAround({ keys: () => keys })(() => Effect.andThen(Effect.yieldNow, drop({ id: "1" })))()
        )
        yield* Effect.yieldNow
        keys.length = 0
        assert.isTrue(yield* Fiber.join(fiber))
        assert.strictEqual(yield* get({ id: "1" }), "gone")
      }))
  })
}

describe("writeAround", () => {
  it("checks what is fixed when it is made", () => {
    const wrong: ReadonlyArray<readonly [() => unknown, string]> = [
      [() => writeAround({ keys: "row:1" as never }), 'InvalidOption: keys is "row:1", expected an array of strings'],
      [() => writeAround({} as never), "InvalidOption: keys is undefined, expected an array of strings"],
      [() => writeAround({ keys: [""] }), 'InvalidKey: "": a key needs at least one character'],
      [() => writeAround({ keys: [], onCacheError: "never" as never }), "onCacheError"],
      [() => writeAround(region, { invalidateTags: "t" as never }), "invalidateTags"],
      [() => writeAround({ keys: [], invalidateKeys: [1] as never }), "invalidateKeys"]
    ]
    for (const [make, message] of wrong) {
      try {
        make()
        assert.fail(message)
      } catch (error) {
        assert.instanceOf(error, CacheError)
        assert.include(error.message, message)
      }
    }
  })
})
