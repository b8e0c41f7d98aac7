import { Effect, Schema } from "effect"
import { describe, expect, it } from "tstyche"
import {
  cacheAside,
  type Cached,
  type CachedEffect,
  type CacheClient,
  type CacheError,
  CacheRegion,
  type RegionOptions
} from "../src/index.ts"

type Get = Cached<{ args: [id: string]; value: { a: 1 } }>
type Failing = Cached<{ args: [id: string]; value: { a: 1 }; error: "e" }>
type One = CachedEffect<{ value: { a: 1 } }>
type OneFailing = CachedEffect<{ value: { a: 1 }; error: "e" }>
type Row = CacheRegion<{ key: "a"; value: { a: 1 } }>
type Encrypted = CacheRegion<{ key: "a"; value: { a: 1 }; services: "s" }>

const Users = CacheRegion.make({ key: "user:{userId}", schema: Schema.String })
const Strict = CacheRegion.make({ key: "user:{userId}", schema: Schema.String, onCacheError: "fail" })
const getUser = cacheAside(Users)(({ userId }: { readonly userId: string }) => Effect.succeed(userId))
const failing = cacheAside(Users)((_: { readonly userId: string }) => Effect.fail("e" as const))

describe("a cached function", () => {
  it("stands for one with more errors and services, and fewer arguments", () => {
    expect<Get>().type.toBeAssignableTo<Failing>()
    expect<Get>().type.toBeAssignableTo<Cached<{ args: [id: string]; value: { a: 1 }; services: "s" }>>()
    expect<Get>().type.toBeAssignableTo<Cached<{ args: [id: string]; value: { a: 1 }; schemaServices: "s" }>>()
    expect<Get>().type.toBeAssignableTo<Cached<{ args: [id: string]; value: { a: 1 }; error: never }>>()
    expect<Get>().type.toBeAssignableTo<Cached<{ args: ["x"]; value: { a: number } }>>()
    expect<Failing>().type.toBeAssignableTo<Cached<{ args: [id: string]; value: { a: 1 }; error: "e" | "f" }>>()
    expect<Failing>().type.not.toBeAssignableTo<Get>()
    expect<Get>().type.not.toBeAssignableTo<Cached<{ args: [id: string | number]; value: { a: 1 } }>>()
    expect<Get>().type.not.toBeAssignableTo<Cached<{ args: [id: string]; value: { a: 1; b: 2 } }>>()
  })

  it("is the same as an effect", () => {
    expect<One>().type.toBeAssignableTo<OneFailing>()
    expect<OneFailing>().type.not.toBeAssignableTo<One>()
    expect<One>().type.toBeAssignableTo<CachedEffect<{ value: { a: 1 }; services: "s" }>>()
    expect<CachedEffect<{ value: { a: 1 }; services: "s" }>>().type.not.toBeAssignableTo<One>()
    expect<OneFailing>().type.toBeAssignableTo<Effect.Effect<{ a: 1 }, "e", CacheClient>>()
  })

  it("can be given to a helper, as any, by its shape or as a function", () => {
    const clear = (cached: Cached.Any) => cached.clear
    expect(clear).type.toBeCallableWith(getUser)
    expect(clear).type.toBeCallableWith(failing)
    const by = <S extends Cached.Shape>(cached: Cached<S>, ...args: S["args"]) => cached(...args)
    expect(by(failing, { userId: "1" })).type.toBe<Effect.Effect<string, "e", CacheClient>>()
    const of = <A, E = never>(cached: Cached<{ args: [{ readonly userId: string }]; value: A; error: E }>) =>
      cached.refresh({ userId: "1" })
    expect(of(getUser)).type.toBe<Effect.Effect<string, never, CacheClient>>()
    expect(of(failing)).type.toBe<Effect.Effect<string, "e", CacheClient>>()
    const call = <A, E, R>(get: (params: { readonly userId: string }) => Effect.Effect<A, E, R>) => get({ userId: "1" })
    expect(call(getUser)).type.toBe<Effect.Effect<string, never, CacheClient>>()
  })
})

describe("a region", () => {
  it("stands for its options, and for one that needs more", () => {
    expect(Users).type.toBeAssignableTo<RegionOptions<"user:{userId}", string, unknown, never, never>>()
    expect(Strict).type.not.toBeAssignableTo<RegionOptions<"user:{userId}", string, unknown, never, never>>()
    expect<Row>().type.toBeAssignableTo<Encrypted>()
    expect<Encrypted>().type.not.toBeAssignableTo<Row>()
    expect<CacheRegion<{ key: "a"; value: { a: 1 }; decodingServices: "s" }>>().type.toBeAssignableTo<Encrypted>()
    expect<Row>().type.not.toBeAssignableTo<CacheRegion<{ key: "a"; value: { a: 1 }; onCacheError: "fail" }>>()
    expect<Row>().type.not.toBeAssignableTo<CacheRegion<{ key: "b"; value: { a: 1 } }>>()
  })

  it("can be given to a helper, as any, by its shape or with a value that is a parameter", () => {
    const clear = (region: CacheRegion.Any) => region.clear
    expect(clear).type.toBeCallableWith(Users)
    expect(clear).type.toBeCallableWith(Strict)
    const key = <S extends CacheRegion.Shape>(region: CacheRegion<S>): S["key"] => region.key
    expect(key(Users)).type.toBe<"user:{userId}">()
    const cached = <A, E>(
      users: CacheRegion<{ key: "user:{userId}"; value: A }>,
      load: (id: string) => Effect.Effect<A, E>
    ) => {
      const get = cacheAside(users)(({ userId }: { readonly userId: string }) => load(userId))
      return (id: string) => Effect.map(get({ userId: id }), (one) => [one])
    }
    expect(cached(Users, Effect.succeed)("1")).type.toBe<Effect.Effect<Array<string>, never, CacheClient>>()
    expect(Users.clear).type.toBe<Effect.Effect<void, CacheError, CacheClient>>()
  })
})
