import { Context, Duration, Effect, type Layer, type Option, Schema } from "effect"
import { describe, expect, it } from "tstyche"
import {
  buildCacheKey,
  cacheAside,
  CacheClient,
  type CacheError,
  CacheMemory,
  CacheRegion,
  type CacheServices,
  invalidateKeys,
  invalidateTags,
  memoize,
  stampedeProtect,
  tagCacheKey,
  writeAround,
  type WriteCall,
  writeThrough
} from "../src/index.ts"

class User extends Schema.Class<User>("User")({ id: Schema.String, tenantId: Schema.String }) {}
class DbError extends Schema.TaggedError<DbError>()("DbError", {}) {}
class Db extends Context.Service<Db, { readonly find: (id: string) => Effect.Effect<User, DbError> }>()("Db") {}
class Key extends Context.Service<Key, string>()("Key") {}

const Users = CacheRegion.make({
  key: "user:{userId}",
  schema: User,
  ttl: "5 minutes",
  tags: (user, params) => ["user", `tenant:${user.tenantId}`, String(params.userId)]
})
const byId = ({ userId }: { readonly userId: string }) => Db.use((db) => db.find(userId))
const total = Effect.succeed(1)
const numbers = { key: "total", schema: Schema.Number, ttl: "1 minute" } as const

declare const Secret: Schema.Codec<string, string, Key, Key>

describe("a cached function", () => {
  it("keeps what the loader has, and needs the client", () => {
    expect(cacheAside(Users)(byId)({ userId: "1" })).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
    expect(cacheAside(byId, Users)({ userId: "1" })).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
  })

  it("takes a generator function", () => {
    const cached = cacheAside(Users)(
      Effect.fnUntraced(function*({ userId }: { readonly userId: string }) {
        return yield* Db.use((db) => db.find(userId))
      })
    )
    expect(cached({ userId: "1" })).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
  })

  it("has controls that can fail", () => {
    const getUser = cacheAside(Users)(byId)
    expect(getUser.invalidate({ userId: "1" })).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
    expect(getUser.peek({ userId: "1" })).type.toBe<Effect.Effect<Option.Option<User>, CacheError, CacheClient>>()
    expect(getUser.refresh({ userId: "1" })).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
    expect(getUser.key({ userId: "1" })).type.toBe<string>()
    expect(getUser.clear).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
  })

  it("must have the placeholders in its argument, at a type that can be a key part", () => {
    const wrap = cacheAside(Users)
    expect(wrap).type.not.toBeCallableWith(({ id }: { readonly id: string }) => Db.use((db) => db.find(id)))
    expect(wrap).type.not.toBeCallableWith((_: { readonly userId: Date }) => Db.use((db) => db.find("")))
    expect(wrap).type.not.toBeCallableWith((_: { readonly userId?: string }) => Db.use((db) => db.find("")))
    expect(wrap).type.not.toBeCallableWith((_: { readonly userId: string | null }) => Db.use((db) => db.find("")))
    expect(wrap).type.not.toBeCallableWith((_: { readonly userId: number; readonly more: Date }) =>
      Db.use((db) => db.find(""))
    )
    expect(cacheAside(Users, { ignore: ["more"] })).type.toBeCallableWith(
      (_: { readonly userId: number; readonly more: Date }) => Db.use((db) => db.find(""))
    )
    expect(wrap).type.toBeCallableWith((_: { readonly userId: bigint }) => Db.use((db) => db.find("")))
  })

  it("must return what the schema holds", () => {
    expect(cacheAside(Users)).type.not.toBeCallableWith(({ userId }: { readonly userId: string }) =>
      Effect.succeed(userId)
    )
  })

  it("takes positional placeholders", () => {
    const items = cacheAside({ key: "items:{0}:{1}", schema: Schema.Array(Schema.String), ttl: "1 minute" })
    const cached = items((category: string, page: number) => Effect.succeed([category, String(page)]))
    expect(cached("a", 1)).type.toBe<Effect.Effect<ReadonlyArray<string>, never, CacheClient>>()
    expect(items).type.not.toBeCallableWith((category: Date, page: number) =>
      Effect.succeed([String(category), String(page)])
    )
  })

  it("gains the error when asked to fail", () => {
    const strict = cacheAside({ ...numbers, onCacheError: "fail" })
    expect(strict(total)).type.toBeAssignableTo<Effect.Effect<number, CacheError, CacheClient>>()
    expect(cacheAside(numbers)(total)).type.toBeAssignableTo<Effect.Effect<number, never, CacheClient>>()
  })

  it("needs the services of its schema", () => {
    const cached = cacheAside({ key: "secret", schema: Secret })(Effect.succeed("x"))
    expect(cached).type.toBeAssignableTo<Effect.Effect<string, never, CacheClient | Key>>()
    expect(cached).type.not.toBeAssignableTo<Effect.Effect<string, never, CacheClient>>()
  })
})

describe("a cached effect", () => {
  it("infers in a pipe", () => {
    const piped = Effect.fail("x" as const).pipe(Effect.as(1), cacheAside(numbers))
    expect(piped).type.toBeAssignableTo<Effect.Effect<number, "x", CacheClient>>()
    expect(piped.invalidate).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
    expect(total.pipe(stampedeProtect({ ...numbers, lockTtl: "1 minute" }))).type.toBeAssignableTo<
      Effect.Effect<number, never, CacheClient>
    >()
    expect(total.pipe(memoize({ name: "total" }))).type.toBeAssignableTo<Effect.Effect<number, never, CacheClient>>()
  })

  it("may be a thunk, and may not have placeholders", () => {
    expect(cacheAside(numbers)(() => total)()).type.toBe<Effect.Effect<number, never, CacheClient>>()
    expect(cacheAside(Users)).type.not.toBeCallableWith(Effect.succeed(new User({ id: "1", tenantId: "1" })))
    expect(cacheAside(numbers)).type.not.toBeCallableWith(Effect.succeed("text"))
  })
})

describe("the other patterns", () => {
  it("stampedeProtect gains the error when waiting may fail", () => {
    const wait = stampedeProtect({ ...numbers, onTimeout: "fail" })
    expect(wait(total)).type.toBeAssignableTo<Effect.Effect<number, CacheError, CacheClient>>()
    expect(wait(total)).type.not.toBeAssignableTo<Effect.Effect<number, never, CacheClient>>()
    expect(stampedeProtect).type.not.toBeCallableWith({ ...numbers, onTimeout: "stale" as const })
  })

  it("writeThrough sees value and params", () => {
    const write = writeThrough(Users, {
      invalidateTags: ({ params, value }) => [value.tenantId, String(params.userId)]
    })
    expect(
      write(({ userId }: { readonly userId: string; readonly name: string }) => Db.use((db) => db.find(userId)))
    ).type.toBeCallableWith({ userId: "1", name: "x" })
  })

  it("writeThrough with keyOf takes any arguments, and is only called", () => {
    const find = (name: string) => Db.use((db) => db.find(name))
    const keyOf = (user: User) => ({ userId: user.id })
    const create = writeThrough(Users, {
      keyOf,
      invalidateTags: ({ params, value }) => [value.id, String(params.userId)]
    })
    expect(create(find)).type.toBe<WriteCall<{ args: [name: string]; value: User; error: DbError; services: Db }>>()
    expect(create(find("x"))).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
    expect(create).type.not.toBeCallableWith((id: string) => Effect.succeed(id))
    expect(writeThrough({ ...Users, keyOf })(find)("x")).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
    expect(writeThrough(find, { ...Users, keyOf })("x")).type.toBe<Effect.Effect<User, DbError, Db | CacheClient>>()
    const strict = writeThrough({ ...Users, onCacheError: "fail" }, { keyOf })
    expect(strict(find)("x")).type.toBe<Effect.Effect<User, DbError | CacheError, Db | CacheClient>>()
    expect(writeThrough).type.not.toBeCallableWith(Users, { keyOf: (user: User) => ({ id: user.id }) })
    expect(writeThrough).type.not.toBeCallableWith(Users, { keyOf: (user: User) => [user.id] as const })
    const At = CacheRegion.make({ key: "at:{0}:{1}", schema: User })
    expect(writeThrough(At, { keyOf: (user) => [user.id, 1] })).type.toBeCallableWith(find)
    expect(writeThrough).type.not.toBeCallableWith(At, { keyOf: (user: User) => [user.id] as const })
    expect(writeThrough).type.not.toBeCallableWith(At, { keyOf: (user: User) => ({ 0: user.id, 1: 1 }) })
  })

  it("lists see what was replaced", () => {
    const name = (_: { readonly userId: string; readonly name: string }) =>
      Effect.succeed(new User({ id: "", tenantId: "" }))
    const change = writeThrough(Users, {
      invalidateOwnTags: true,
      invalidateTags: ({ previous }) => {
        expect(previous).type.toBeAssignableTo<Option.Option<User>>()
        return []
      }
    })
    expect(change).type.toBeCallableWith(name)
    writeAround(Users, {
      invalidateTags: ({ previous }) => {
        expect(previous).type.toBeAssignableTo<Option.Option<User>>()
        return []
      }
    })
    writeAround({
      keys: ["a"],
      invalidateTags: ({ previous }) => {
        expect(previous).type.toBe<Option.Option<never>>()
        return []
      }
    })
    expect(writeThrough).type.not.toBeCallableWith(Users, { invalidateOwnTags: "yes" })
    expect(writeThrough).type.not.toBeCallableWith(Users, { invalidateTags: (user: User) => [user.tenantId] })
    // What is decoded needs the services of the schema.
    const secret = { key: "secret:{id}", schema: Secret } as const
    expect(writeAround(secret)((_: { readonly id: string }) => Effect.void)({ id: "1" })).type.toBe<
      Effect.Effect<void, never, Key | CacheClient>
    >()
  })

  it("writeAround of a region takes its parameters, and gives back anything", () => {
    const remove = writeAround(Users, { invalidateTags: ({ params }) => [String(params.userId)] })
    expect(remove((_: { readonly userId: string }) => Effect.void)).type.toBe<
      // biome-ignore lint/suspicious/noConfusingVoidType: what the write returns
      WriteCall<{ args: [_: { readonly userId: string }]; value: void }>
    >()
    expect(remove).type.not.toBeCallableWith((_: { readonly id: string }) => Effect.void)
    expect(remove).type.not.toBeCallableWith(() => Effect.void)
    const counted = writeAround(Users, { invalidateKeys: ({ value }: { readonly value: number }) => [`${value}`] })
    expect(
      counted(({ userId }: { readonly userId: string }) => Effect.succeed(userId.length))({ userId: "1" })
    ).type.toBe<Effect.Effect<number, never, CacheClient>>()
    expect(counted).type.not.toBeCallableWith(({ userId }: { readonly userId: string }) => Effect.succeed(userId))
    expect(
      writeAround(byId, { ...Users, invalidateKeys: ({ value }) => [value.tenantId], onCacheError: "fail" })({
        userId: "1"
      })
    ).type.toBe<Effect.Effect<User, DbError | CacheError, Db | CacheClient>>()
    expect(writeAround(numbers)(Effect.succeed("any"))).type.toBe<Effect.Effect<string, never, CacheClient>>()
    expect(writeAround(Effect.succeed("any"), numbers)).type.toBe<Effect.Effect<string, never, CacheClient>>()
  })

  it("writeAround of keys takes what they are made of", () => {
    type Ids = { readonly ids: ReadonlyArray<string> }
    const remove = writeAround({
      keys: ({ ids }: Ids) => ids,
      invalidateKeys: ({ params }) => params.ids,
      onCacheError: "fail"
    })
    expect(remove((_: Ids & { readonly hard: boolean }, at: Date) => Effect.succeed(at))).type.toBe<
      WriteCall<{ args: [_: Ids & { readonly hard: boolean }, at: Date]; value: Date; error: CacheError }>
    >()
    expect(remove).type.not.toBeCallableWith((_: { readonly id: string }) => Effect.void)
    // It is called with what the keys are made of all the same.
    expect(remove(() => Effect.void)).type.toBeCallableWith({ ids: [] })
    expect(remove(() => Effect.void)).type.not.toBeCallableWith()
    expect(writeAround({ keys: ["a"] })(total)).type.toBe<Effect.Effect<number, never, CacheClient>>()
    expect(writeAround({ keys: ["a"] })((n: number) => Effect.succeed(n))).type.toBe<
      WriteCall<{ args: [n: number]; value: number }>
    >()
    expect(writeAround((n: number) => Effect.succeed(n), { keys: (n) => [`${n.toFixed()}`] })).type.toBe<
      WriteCall<{ args: [n: number]; value: number }>
    >()
    expect(writeAround).type.not.toBeCallableWith({ keys: "a" })
    expect(writeAround).type.not.toBeCallableWith({})
  })

  it("memoize takes any arguments by name, and placeholders by key", () => {
    const parse = memoize({ name: "parse" })((text: string) => Effect.succeed(text.length))
    expect(parse("x")).type.toBe<Effect.Effect<number, never, CacheClient>>()
    const report = memoize({ key: "report:{period}", schema: User })
    expect(report).type.toBeCallableWith((_: { readonly period: string }) =>
      Effect.succeed(new User({ id: "", tenantId: "" }))
    )
    expect(report).type.not.toBeCallableWith((_: string) => Effect.succeed(new User({ id: "", tenantId: "" })))
    expect(memoize({ name: "bad", schema: User })).type.not.toBeCallableWith((text: string) => Effect.succeed(text))
  })
})

describe("regions and keys", () => {
  it("ttl takes a duration or a function", () => {
    CacheRegion.make({ key: "a:{x}", schema: User, ttl: Duration.minutes(1) })
    CacheRegion.make({
      key: "a:{x}",
      schema: User,
      ttl: (user, { x }) => `${user.id.length + String(x).length} seconds` as const
    })
    expect(CacheRegion.make).type.not.toBeCallableWith({ key: "a", schema: User, ttl: true })
  })

  it("buildCacheKey wants what the template has", () => {
    expect(buildCacheKey("user:{id}", { params: { id: 1 } })).type.toBe<string>()
    expect(buildCacheKey).type.not.toBeCallableWith("user:{id}", { params: { name: 1 } })
    expect(buildCacheKey).type.not.toBeCallableWith("user:{id}", { params: { id: null } })
  })

  it("operations asked for by name carry the error", () => {
    expect(invalidateTags(["a"])).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
    expect(CacheMemory.layer()).type.toBe<Layer.Layer<CacheServices, CacheError>>()
  })

  it("a string is no list", () => {
    expect(invalidateTags).type.not.toBeCallableWith("users")
    expect(invalidateKeys).type.not.toBeCallableWith("u:1")
    expect(invalidateKeys).type.not.toBeCallableWith("u:1" as string | ReadonlyArray<string>)
    expect(tagCacheKey).type.not.toBeCallableWith("k", "abc")
    CacheClient.use((cache) => {
      expect(cache.getMany).type.not.toBeCallableWith("u:1", User)
      expect(cache.invalidateTags).type.not.toBeCallableWith("users")
      expect(cache.invalidateKeys).type.not.toBeCallableWith("u:1")
      expect(cache.tag).type.not.toBeCallableWith("k", "abc")
      expect(cache.set).type.not.toBeCallableWith("k", "v", { schema: Schema.String, tags: "abc" })
      return cache.getMany(new Set(["u:1"]), User)
    })
    for (const list of [["a"], new Set(["a"]), new Map([["a", 1]]).keys()]) invalidateTags(list)
    invalidateKeys(["a"] as const)
    const any = <T extends Iterable<string>>(list: T) => expect(tagCacheKey).type.toBeCallableWith("k", list)
    any([])
  })

  it("the client is typed by the schema", () => {
    const get = CacheClient.use((cache) => cache.get("k", User))
    expect(get).type.toBe<Effect.Effect<Option.Option<User>, CacheError, CacheClient>>()
    const set = (cache: CacheClient["Service"]) =>
      cache.set("k", new User({ id: "1", tenantId: "1" }), { schema: User })
    expect(set).type.toBe<(cache: CacheClient["Service"]) => Effect.Effect<void, CacheError>>()
  })
})

describe("CacheClient", () => {
  it("shows what a user can call", () => {
    expect<keyof CacheClient["Service"]>().type.toBe<
      | "get"
      | "getMany"
      | "set"
      | "tag"
      | "invalidateKeys"
      | "invalidatePattern"
      | "invalidateTags"
      | "clear"
      | "stats"
      | "counters"
    >()
  })
})

describe("a function that takes nothing", () => {
  it("cannot be wrapped with a key that has placeholders", () => {
    expect(cacheAside(Users)).type.not.toBeCallableWith(() => Db.use((db) => db.find("1")))
    expect(stampedeProtect(Users)).type.not.toBeCallableWith(() => Db.use((db) => db.find("1")))
    expect(cacheAside({ key: "n:{0}", schema: Schema.Number })).type.not.toBeCallableWith(() => total)
  })
})
