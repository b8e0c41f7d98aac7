/** A region in place of a key and a schema: `CacheClient.get`, `getMany` and `set`; and what a region can do by itself. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheRegion,
  getCacheStats,
  invalidatePattern,
  invalidateTags,
  writeThrough
} from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { inProcess } from "../support/layers.ts"

const User = Schema.Struct({ id: Schema.String, tenant: Schema.String, at: Schema.DateFromString })
const user = (id: string, tenant = "7") => ({ id, tenant, at: new Date(5) })
const Users = CacheRegion.make({
  key: "user:{userId}",
  prefix: "v2:",
  schema: User,
  ttl: ({ id }, { userId }) => (id === userId ? "1 minute" : Duration.zero),
  tags: ({ tenant }, { userId }) => [`tenant:${tenant}`, `user ${userId}`]
})
const Pages = CacheRegion.make({ key: "page:{0}:{1?}", schema: Schema.String, ttl: "1 minute" })
const Lists = CacheRegion.make({ key: "list:{tenant}:{cursor?}", schema: Schema.Number, ttl: "1 minute" })
const Total = CacheRegion.make({ key: "total", schema: Schema.Number, ttl: "1 minute", tags: ["total"] })

const reason = <A, R>(effect: Effect.Effect<A, { readonly reason: { readonly message: string } }, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason.message)

for (const [name, layer] of inProcess) {
  describe(`a region, given to the client, on ${name}`, () => {
    it.effect("names key, schema, lifetime and tags of what is set and read", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        const getUser = cacheAside(Users)(({ userId }: { readonly userId: string }) =>
          Effect.succeed(user(userId, "9"))
        )
        assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.none())
        yield* client.set(Users, { userId: "1" }, user("1"))
        assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.some(user("1")))
        assert.deepStrictEqual(yield* client.get("v2:user:1", User), Option.some(user("1")))
        // It is the entry of the function.
        assert.deepStrictEqual(yield* getUser({ userId: "1" }), user("1"))
        yield* invalidateTags(["user 1"])
        assert.deepStrictEqual(yield* getUser({ userId: "1" }), user("1", "9"))
        assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.some(user("1", "9")))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.none())
      }).pipe(Effect.provide(layer))
    )

    it.effect("by position, without a part, without parameters", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        yield* client.set(Pages, ["a", 1], "a1")
        yield* client.set(Pages, ["a"], "a")
        yield* client.set(Lists, { tenant: 1 }, 10)
        yield* client.set(Lists, { tenant: 1, cursor: "" }, 11)
        yield* client.set(Total, {}, 12)
        assert.deepStrictEqual(yield* client.get("page:a:1", Schema.String), Option.some("a1"))
        assert.deepStrictEqual(yield* client.get(Pages, ["a", undefined]), Option.some("a"))
        assert.deepStrictEqual(yield* client.get(Lists, { tenant: 1, cursor: undefined }), Option.some(10))
        assert.deepStrictEqual(yield* client.get(Lists, { tenant: 1, cursor: "" }), Option.some(11))
        assert.deepStrictEqual(yield* client.get(Total, {}), Option.some(12))
        assert.deepStrictEqual(yield* client.getMany(Pages, [["a"], ["b"], ["a", 1]]), [
          Option.some("a"),
          Option.none(),
          Option.some("a1")
        ])
      }).pipe(Effect.provide(layer))
    )

    it.effect("getMany reads many, in their order, and counts them for the region", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        const ids = Array.from({ length: 1_500 }, (_, i) => String(i))
        yield* Effect.forEach(
          ids.filter((_, i) => i % 3 === 0),
          (id) => client.set(Users, { userId: id }, user(id))
        )
        const found = yield* client.getMany(Users, new Set(ids.map((userId) => ({ userId }))))
        assert.deepStrictEqual(
          found,
          ids.map((id, i) => (i % 3 === 0 ? Option.some(user(id)) : Option.none()))
        )
        assert.deepStrictEqual(yield* client.getMany(Users, []), [])
        yield* client.get(Users, { userId: "1" })
        const { regions } = yield* getCacheStats
        assert.deepStrictEqual(
          regions.map(({ hits, misses, region }) => [region, hits, misses]),
          [["v2:user:{userId}", 500, 1_001]]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("an entry without a fixed tag of the region is none", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        yield* client.set("total", 1, { schema: Schema.Number, ttl: "1 minute" })
        assert.deepStrictEqual(yield* client.get("total", Schema.Number), Option.some(1))
        assert.deepStrictEqual(yield* client.get(Total, {}), Option.none())
        assert.deepStrictEqual(yield* client.getMany(Total, [{}]), [Option.none()])
        yield* client.set(Total, {}, 2)
        assert.deepStrictEqual(yield* client.get(Total, {}), Option.some(2))
        yield* invalidateTags(["total"])
        assert.deepStrictEqual(yield* client.get(Total, {}), Option.none())
      }).pipe(Effect.provide(layer))
    )

    it.effect("options made of a region can stand for it", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        const v3 = { ...Users, prefix: "v3:", ttl: "1 hour" } as const
        yield* client.set(v3, { userId: "1" }, user("1"))
        assert.deepStrictEqual(yield* client.get("v3:user:1", User), Option.some(user("1")))
        assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.none())
      }).pipe(Effect.provide(layer))
    )

    it.effect("what is no parameter, no region and no value is refused, and nothing is stored", () =>
      Effect.gen(function*() {
        const client = yield* CacheClient
        for (const params of [
          {},
          { userId: undefined },
          { userId: null },
          { id: "1" },
          null,
          undefined,
          "1",
          ["1"],
          1
        ]) {
          assert.include(yield* reason(client.get(Users, params as never)), "{userId}")
          assert.include(yield* reason(client.set(Users, params as never, user("1"))), "{userId}")
          assert.include(yield* reason(client.getMany(Users, [{ userId: "1" }, params as never])), "{userId}")
        }
        assert.include(yield* reason(client.getMany(Users, "12" as never)), 'params is "12", expected an array')
        assert.include(yield* reason(client.getMany(Users, { userId: "1" } as never)), "expected an array")
        // Options that are no region, and a cached function, are no key either.
        assert.include(
          yield* reason(client.get({ key: "a", schema: Schema.String } as never, Schema.String)),
          "a key is a string"
        )
        const get = cacheAside(Users)(({ userId }: { readonly userId: string }) => Effect.succeed(user(userId)))
        assert.include(yield* reason(client.get(get as never, User)), "a key is a string")
        // As ttl says.
        assert.include(yield* reason(client.set(Users, { userId: "1" }, user("2"))), "ttl")
        assert.strictEqual((yield* getCacheStats).size, 0)
      }).pipe(Effect.provide(layer))
    )
  })

  describe(`what a region can do, on ${name}`, () => {
    it.effect("invalidate removes one entry, clear all, and a pattern some", () =>
      Effect.gen(function*() {
        let loads = 0
        const list = cacheAside(Lists)((_: { readonly tenant: string; readonly cursor?: string }) =>
          Effect.sync(() => ++loads)
        )
        const other = cacheAside({ ...Lists, prefix: "other:" })(
          (_: { readonly tenant: string; readonly cursor?: string }) => Effect.sync(() => ++loads)
        )
        const all = Effect.all([list({ tenant: "1" }), list({ tenant: "1", cursor: "a" }), list({ tenant: "2" })])
        yield* other({ tenant: "1" })
        assert.deepStrictEqual(yield* all, [2, 3, 4])
        yield* Lists.invalidate({ tenant: "1" })
        assert.deepStrictEqual(yield* all, [5, 3, 4])
        yield* invalidatePattern(Lists.pattern({ tenant: "1" }))
        assert.deepStrictEqual(yield* all, [6, 7, 4])
        yield* Lists.clear
        assert.deepStrictEqual(yield* all, [8, 9, 10])
        assert.strictEqual(yield* other({ tenant: "1" }), 1)

        const total = cacheAside(Total)(Effect.sync(() => ++loads))
        assert.deepStrictEqual(yield* total, 11)
        yield* Total.invalidate()
        assert.deepStrictEqual(yield* total, 12)
        yield* Total.clear
        assert.deepStrictEqual(yield* total, 13)
        // A write of it says what it makes old.
        const write = writeThrough(Total, { invalidatePatterns: [Lists.pattern({ tenant: "2" })] })(Effect.succeed(0))
        yield* write
        assert.deepStrictEqual(yield* all, [8, 9, 14])
      }).pipe(Effect.provide(layer))
    )

    it.effect("parameters that make no key fail the invalidation", () =>
      Effect.gen(function*() {
        for (const params of [{}, { userId: null }, undefined, "1"]) {
          assert.include(yield* reason(Users.invalidate(params as never)), "{userId}")
        }
        assert.include(yield* reason(Pages.invalidate(undefined as never)), "{0}")
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("the methods of a region", () => {
  it("give keys and patterns with the prefix", () => {
    assert.strictEqual(Users.keyFor({ userId: "a*b" }), "v2:user:a%2Ab")
    assert.strictEqual(Pages.keyFor("a", 1), "page:a:1")
    assert.strictEqual(Pages.keyFor("a"), "page:a:%-")
    assert.strictEqual(Total.keyFor(), "total")
    assert.strictEqual(Users.pattern(), "v2:user:*")
    assert.strictEqual(Users.pattern({ userId: "*" }), "v2:user:%2A")
    assert.strictEqual(Lists.pattern({ cursor: undefined }), "list:*:*")
    assert.strictEqual(Lists.pattern({ cursor: "c" }), "list:*:c")
    assert.strictEqual(Pages.pattern([undefined, 2]), "page:*:2")
    assert.strictEqual(Total.pattern(), "total")
    assert.throws(() => Users.keyFor({} as never), /InvalidKey/)
    assert.throws(() => Users.pattern({ userId: null } as never), /InvalidKey/)
    const wide: string = "{0}:{1}"
    assert.strictEqual(CacheRegion.make({ key: wide, schema: Schema.String }).keyFor(["a", "b"]), "a:b")
    // An argument that is no part may be a list, too.
    assert.strictEqual(CacheRegion.make({ key: "x:{1}", schema: Schema.String }).keyFor(["1", "2"], "b"), "x:b")
  })

  it.effect("are not those of what is made of it by spreading", () =>
    Effect.gen(function*() {
      const copy = { ...Users, prefix: "v3:" }
      assert.deepStrictEqual(Object.keys(copy).sort(), ["_tag", "key", "prefix", "schema", "tags", "ttl"])
      assert.notProperty(copy, "invalidate")
      const again = CacheRegion.make(copy)
      assert.strictEqual(again.keyFor({ userId: "1" }), "v3:user:1")
      assert.strictEqual(again.pattern(), "v3:user:*")
      assert.strictEqual(CacheRegion.make(Users).keyFor({ userId: "1" }), "v2:user:1")
      // They need no `this`.
      const { invalidate, keyFor } = Users
      assert.strictEqual(keyFor({ userId: "1" }), "v2:user:1")
      const client = yield* CacheClient
      yield* client.set(Users, { userId: "1" }, user("1"))
      yield* Effect.flatMap(Effect.succeed({ userId: "1" }), invalidate)
      assert.deepStrictEqual(yield* client.get(Users, { userId: "1" }), Option.none())
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("ask the client that is provided, also one of somebody's own", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const note = (what: Iterable<string>) => Effect.sync(() => void asked.push(...what))
      const mock = Layer.mock(CacheClient, { invalidateKeys: note, invalidatePattern: (pattern) => note([pattern]) })
      const services = yield* Layer.build(mock)
      yield* Effect.provide(Effect.andThen(Users.invalidate({ userId: "1" }), Users.clear), services)
      assert.deepStrictEqual(asked, ["v2:user:1", "v2:user:*"])
    }).pipe(Effect.scoped)
  )
})
