import { Context, Effect, Layer, type Option, Schema } from "effect"
import { describe, expect, it } from "tstyche"
import { cacheAside, CacheClient, type CacheError, CacheRegion } from "../src/index.ts"

class Crypt extends Context.Service<Crypt, { readonly key: string }>()("Crypt") {}

const User = Schema.Struct({ id: Schema.String })
type User = typeof User.Type
const Users = CacheRegion.make({ key: "user:{userId}", schema: User, ttl: "1 minute" })
const Lists = CacheRegion.make({ key: "list:{tenant}:{cursor?}", schema: Schema.Array(Schema.String) })
const Pages = CacheRegion.make({ key: "page:{0}:{1?}", schema: Schema.String })
const Total = CacheRegion.make({ key: "total", schema: Schema.Number })
const All = CacheRegion.make({ key: "all:{cursor?}", schema: Schema.Number })
declare const Secret: Schema.Codec<string, string, Crypt, Crypt>
const Secrets = CacheRegion.make({ key: "secret:{id}", schema: Secret })

describe("what a region can do", () => {
  it("is typed by its key", () => {
    expect(Users.invalidate({ userId: "1" })).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
    expect(Users.clear).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
    expect(Users.keyFor({ userId: 1n })).type.toBe<string>()
    expect(Users.pattern()).type.toBe<string>()
    expect(Users.key).type.toBe<"user:{userId}">()
    expect(Lists.keyFor).type.toBeCallableWith({ tenant: "1" })
    expect(Lists.keyFor).type.toBeCallableWith({ tenant: "1", cursor: undefined })
    expect(Lists.pattern).type.toBeCallableWith({ cursor: "a" })
    expect(Pages.keyFor).type.toBeCallableWith("a")
    expect(Pages.keyFor).type.toBeCallableWith("a", undefined)
    expect(Pages.invalidate).type.toBeCallableWith("a", 1)
    expect(Pages.pattern).type.toBeCallableWith([undefined, 1])
    expect(Total.invalidate).type.toBeCallableWith()
    expect(All.invalidate).type.toBeCallableWith()
  })

  it("refuses what its key does not have", () => {
    expect(Users.invalidate).type.not.toBeCallableWith()
    expect(Users.invalidate).type.not.toBeCallableWith({ id: "1" })
    expect(Users.invalidate).type.not.toBeCallableWith("1")
    expect(Users.keyFor).type.not.toBeCallableWith({ userId: undefined })
    expect(Users.keyFor).type.not.toBeCallableWith({ userId: new Date(0) })
    expect(Users.pattern).type.not.toBeCallableWith({ id: "1" })
    expect(Lists.keyFor).type.not.toBeCallableWith({ cursor: "a" })
    expect(Pages.keyFor).type.not.toBeCallableWith()
    expect(Pages.keyFor).type.not.toBeCallableWith("a", 1, 2)
    expect(Total.keyFor).type.not.toBeCallableWith({})
  })

  it("is not that of a copy", () => {
    const copy = { ...Users, prefix: "v2:" }
    expect(copy).type.not.toHaveProperty("invalidate")
    expect(copy).type.not.toHaveProperty("clear")
    expect(copy).type.not.toHaveProperty("keyFor")
    expect(copy).type.not.toHaveProperty("pattern")
    expect(CacheRegion.make(copy).keyFor({ userId: "1" })).type.toBe<string>()
    expect(cacheAside).type.toBeCallableWith({ ...Users, ttl: "1 hour" })
  })
})

describe("a region, given to the client", () => {
  it("is typed by it", () => {
    const client = null as unknown as CacheClient["Service"]
    expect(client.get(Users, { userId: "1" })).type.toBe<Effect.Effect<Option.Option<User>, CacheError>>()
    expect(client.getMany(Users, [{ userId: "1" }])).type.toBe<
      Effect.Effect<ReadonlyArray<Option.Option<User>>, CacheError>
    >()
    expect(client.set(Users, { userId: "1" }, { id: "1" })).type.toBe<Effect.Effect<void, CacheError>>()
    expect(client.get(Secrets, { id: "1" })).type.toBe<Effect.Effect<Option.Option<string>, CacheError, Crypt>>()
    expect(client.set(Secrets, { id: "1" }, "s")).type.toBe<Effect.Effect<void, CacheError, Crypt>>()
    expect(client.get("secret:1", Secret)).type.toBe<Effect.Effect<Option.Option<string>, CacheError, Crypt>>()
    expect(client.get).type.toBeCallableWith(Pages, ["a", 1])
    expect(client.get).type.toBeCallableWith(Pages, ["a"])
    expect(client.get).type.toBeCallableWith(Total, {})
    expect(client.get).type.toBeCallableWith({ ...Users, prefix: "v2:" }, { userId: "1" })

    expect(client.get).type.not.toBeCallableWith(Users, { id: "1" })
    expect(client.get).type.not.toBeCallableWith(Users, User)
    expect(client.get).type.not.toBeCallableWith(Users)
    expect(client.get).type.not.toBeCallableWith("user:1", { userId: "1" })
    expect(client.get).type.not.toBeCallableWith({ key: "user:{userId}", schema: User }, { userId: "1" })
    expect(client.getMany).type.not.toBeCallableWith(Users, { userId: "1" })
    expect(client.set).type.not.toBeCallableWith(Users, { userId: "1" }, { id: 1 })
    expect(client.set).type.not.toBeCallableWith(Users, { id: "1" }, { userId: "1" })
    expect(client.set).type.not.toBeCallableWith("user:1", { id: 1 }, { schema: User })
  })

  it("a client of one's own hands on what it is given", () => {
    Effect.map(CacheClient, (client) =>
      CacheClient.of({
        ...client,
        get: (of, by) => Effect.andThen(Effect.log(of), client.get(of, by)),
        getMany: (of, by) => client.getMany(of, by),
        set: (of, second, third) => client.set(of, second, third)
      })
    )
    Layer.mock(CacheClient, {
      get: () => Effect.succeedNone,
      getMany: () => Effect.succeed([]),
      set: () => Effect.void
    })
  })
})
