// biome-ignore-all format: one example a line
/** What must compile, on each TypeScript that `scripts/type-tests.ts` knows. */
import { type Duration, Effect, pipe, Schema } from "effect"
import { type AnyKey, buildCacheKey, cacheAside, CacheClient, type Cached, type CachedEffect, type CacheError, CacheKey, CacheRegion, invalidateTags, memoize, stampedeProtect, writeAround, writeThrough } from "../src/index.ts"
import { type AbortSignalLike, type Admin, anyFn, cond, type Db, type DbError, type Expect, find, findAdmin, Lists, type Page, plain, type Q2, type Query, type Search, Searches, Strict, TwoArguments, type UserId, User, Users } from "./shared.ts"

// ---- 1. read patterns
export const r1: Expect<User, DbError, Db> = cacheAside(Users)(({ userId }: { readonly userId: string }) => find(userId))({ userId: "1" })
export const r2: Expect<User, DbError, Db> = cacheAside(({ userId }: { readonly userId: string }) => find(userId), Users)({ userId: "1" })
export const r3: Expect<User, DbError, Db> = cacheAside(Users, { ignore: ["requestId"] })(({ userId }: { readonly userId: string; readonly requestId: string }) => find(userId))({ userId: "1", requestId: "" })
export const r4 = cacheAside(({ userId }: { readonly userId: string; readonly requestId: string }) => find(userId), { key: "user:{userId}", schema: User, ignore: ["requestId"], tags: (user) => [user.tenantId] })
export const r5 = cacheAside({ ...Users, ignore: ["requestId"] })(({ userId }: { readonly userId: string; readonly requestId: string }) => find(userId))
export const r6: Expect<User, DbError, Db> = cacheAside({ key: "x:{0}:{1}", schema: User, ignore: [2] })((a: string, page: number, _signal: AbortSignalLike) => find(a + page))("a", 1, {})
export const r7 = cacheAside({ key: "x:{tenant}", schema: User, ignore: [1, "trace"] })(({ tenant }: { readonly tenant: string; readonly trace: string }, _log: (line: string) => void) => find(tenant))
export const r8 = cacheAside({ key: "x:{1}", schema: User, ignore: [0] })((_ctx: { readonly a: Date }, id: string) => find(id))
// a pipe of an effect, of a function; data-first of an effect; a thunk; a literal inferred from the schema
export const r9: Expect<number, "x", never> = Effect.fail("x" as const).pipe(Effect.as(1), cacheAside({ key: "n", schema: Schema.Number }))
export const r10: Expect<number, never, never> = cacheAside(Effect.succeed(1), { key: "n", schema: Schema.Number })
export const r11: Expect<"a", never, never> = cacheAside({ key: "n", schema: Schema.Literal("a") })(() => Effect.succeed("a"))()
export const r12: Expect<{ readonly kind: "a" }, never, never> = cacheAside({ key: "n:{id}", schema: Schema.Struct({ kind: Schema.Literal("a") }) })((_: { readonly id: string }) => Effect.succeed({ kind: "a" }))({ id: "" })
export const r13 = pipe(({ userId }: { readonly userId: string }) => find(userId), cacheAside(Users))
export const r14: Expect<User, DbError, Db> = r13({ userId: "" })
export const r15: Expect<ReadonlyArray<User>, never, never> = Effect.succeed<ReadonlyArray<User>>([]).pipe(stampedeProtect({ key: "all", schema: Schema.Array(User), lockTtl: "1 minute" }))
export const r15b = stampedeProtect(Users, { lockTtl: "1 minute", ignore: ["page"] })(({ userId }: { readonly userId: string; readonly page: number }) => find(userId))
// Effect.fn and fnUntraced
export const r16: Expect<User, DbError, Db> = cacheAside(Users)(Effect.fn("getUser")(function*({ userId }: { readonly userId: string }) { return yield* find(userId) }))({ userId: "" })
export const r17: Expect<User, DbError, Db> = cacheAside(Users)(Effect.fnUntraced(function*({ userId }: { readonly userId: string }) { return yield* find(userId) }))({ userId: "" })
// parameters without annotation take the parts of the key
export const r18 = cacheAside(Users)(({ userId }) => find(String(userId)))
export const r18b = cacheAside({ key: "x:{0}:{1}", schema: User })((a, b) => find(String(a) + String(b)))
// a Schema class as the parameter type; a branded id; an optional property; a union; `this`
export const r19 = cacheAside({ key: "q:{tenant}:{page}", schema: User })((query: Query) => find(query.tenant))
export const r20 = cacheAside(Users)(({ userId }: { readonly userId: typeof UserId.Type }) => find(userId))
export const r21: Expect<ReadonlyArray<User>, never, never> = cacheAside(Lists)((_: { readonly tenant: string; readonly cursor?: string }) => Effect.succeed([]))({ tenant: "" })
export const r22 = cacheAside({ key: "u:{kind}:{id?}:{slug?}", schema: User })((p: { readonly kind: "id"; readonly id: string } | { readonly kind: "slug"; readonly slug: string }) => find(p.kind))
export const r23 = cacheAside({ key: "x:{0}:{1?}", schema: User })((a: string, b?: number) => find(a + b))
export class Service { readonly get = cacheAside(Users)(function(this: unknown, { userId }: { readonly userId: string }) { return find(userId) }) }
// a codec that is a type parameter; a key known only when running
export const generic = <A, I>(schema: Schema.Codec<A, I>, load: (id: string) => Effect.Effect<A, DbError>) => cacheAside({ key: "g:{id}", schema })(({ id }: { readonly id: string }) => load(id))
export const r24: Expect<number, DbError, never> = generic(Schema.Number, () => Effect.succeed(1))({ id: "" })
export const r25 = (key: string) => cacheAside({ key, schema: User })(({ id }: { readonly id: string }) => find(id))
// memoize
export const m1: Expect<User, DbError, Db> = memoize({ key: "report:{period}", schema: User, ttl: "5 minutes" })(({ period }: { readonly period: string }) => find(period))({ period: "" })
export const m2: Expect<number, never, never> = memoize({ name: "parse", ttl: "1 minute" })((text: string, _at: Date) => Effect.succeed(text.length))("", new Date())
export const m3: Expect<number, never, never> = memoize({ key: "p:{0}", ignore: [1] })((text: string, _at: Date) => Effect.succeed(text.length))("", new Date())
export const m4: Expect<number, never, never> = memoize({ name: "parse", schema: Schema.Number })((text: string, _at: Date) => Effect.succeed(text.length))("", new Date())
export const m5: Expect<number, never, never> = memoize((text: string) => Effect.succeed(text.length), { name: "parse" })("")
export const m6: Expect<number, never, never> = Effect.succeed(1).pipe(memoize({ name: "one" }))
export const m7: Expect<"a", never, never> = memoize({ name: "l", schema: Schema.Literal("a") })((_: string) => Effect.succeed("a"))("")
// ---- 2. messages
// lists: arrays, readonly arrays, Sets, generators
export const tags: Iterable<string> = new Set(["a"])
export const l1 = [invalidateTags(["a"]), invalidateTags(["a"] as const), invalidateTags(new Set(["a"])), invalidateTags(tags), invalidateTags(new Map<string, 1>().keys())]
export const l4 = writeThrough(Users, { invalidateTags: ({ value, params }) => [value.tenantId, `${params.userId}`], invalidateKeys: ["a"], invalidatePatterns: ["a:*"] })
// ---- 3. writes, regions
export const w1: Expect<User, DbError, Db> = writeThrough(Users, { invalidatePatterns: ["users:list:*"] })(({ userId }: { readonly userId: string; readonly name: string }) => find(userId))({ userId: "", name: "" })
export const w2: Expect<User, DbError, Db> = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }), invalidateTags: ["users"] })((name: string, _at: Date) => find(name))("", new Date())
export const w3: Expect<User, DbError, Db> = writeThrough({ key: "u:{0}", schema: User, keyOf: (user) => [user.id] })((name: string) => find(name))("")
export const w4: Expect<void, DbError, Db> = writeAround(Users, { invalidateTags: ({ params }) => [`u:${params.userId}`] })(({ userId }: { readonly userId: string; readonly reason: string }) => Effect.asVoid(find(userId)))({ userId: "", reason: "" })
export const w5: Expect<User, DbError, Db> = writeThrough(({ userId }: { readonly userId: string; readonly name: string }) => find(userId), Users)({ userId: "", name: "" })
export const r26 = cacheAside({ key: "all", schema: User, ignore: [0] })((_signal: AbortSignalLike) => find(""))
export const r27 = cacheAside(Users)(anyFn)
export const r29 = writeThrough(Users)((p: { readonly userId: string }, ...more: ReadonlyArray<string>) => find(p.userId + more.join()))
// a class with methods as parameter: methods are properties too
export const r30 = cacheAside({ key: "q:{tenant}", schema: User, ignore: ["shout", "loud"] })((query: Q2) => find(query.loud))
// a helper over any region
// onCacheError
export const r32: Effect.Effect<User, DbError | CacheError, Db | CacheClient> = cacheAside({ ...Users, onCacheError: "fail" })(({ userId }: { readonly userId: string }) => find(userId))({ userId: "" })
export const r33: Effect.Effect<User, DbError | CacheError, Db | CacheClient> = cacheAside(Strict, { ignore: ["x"] })(({ id }: { readonly id: string, readonly x: 1 }) => find(id))({ id: "", x: 1 })
// an interface that is generic but applied
export const r34 = cacheAside({ key: "p:{tenant}:{after}", schema: User })((p: Page<number>) => find(p.tenant))
// a function kept by its name, a method, an overloaded function
export const byId = ({ userId }: { readonly userId: string }) => find(userId)
export const ttlVar: Duration.Input = "5 minutes"
export const r36 = CacheRegion.make({ key: "v:{id}", schema: User, ttl: ttlVar })
export const r37 = CacheRegion.make({ key: "v:{id}", schema: User, ttl: cond ? "5 minutes" : undefined, tags: cond ? ["a"] : undefined })
export const r38 = cacheAside(({ id }: { readonly id: string }) => find(id), plain)
export const r39: Expect<User, DbError, Db> = cacheAside({ key: "l:{page?}", schema: User })(({ page = 1 }: { readonly page?: number } = {}) => find(String(page)))()
// memoize by name: what the function declares, or arity
export const m16: Expect<User, DbError, Db> = memoize({ name: "a", arity: 3 })((id: string, page: string | undefined = "1", at: string) => find(id + page + at))("", undefined, "")
export const m17: Expect<User, DbError, Db> = memoize({ name: "a" })((id: unknown, at: string | undefined) => find(`${id}${at}`))("", undefined)
export const m10: Expect<User, DbError, Db> = memoize({ name: "a", arity: 1 })((...ids: ReadonlyArray<string>) => find(ids.join()))("a", "b")
export const m11: Expect<User, DbError, Db> = memoize((id: string, page = 1) => find(id + page), { name: "a", arity: 2 })("a")
export const m12: Expect<User, DbError, Db> = memoize({ name: "a" })(Effect.fn("a")(function*(id: string, at: Date) { return yield* find(id + at) }))("", new Date())
export const arity: number = 2
export const m13 = memoize({ name: "a", arity })((id: string, page?: number) => find(id + page))
export const m14: Expect<User, DbError, Db> = memoize({ name: "a", schema: User, ttl: (user, _params) => (user.id === "" ? "1 minute" : "5 minutes") })((id: string) => find(id))("")
export const m15 = memoize({ key: "m:{a}", ignore: ["b"], ttl: (_value, { a }) => (a === "" ? "1 minute" : "5 minutes") })((p: { readonly a: string; readonly b: string }) => find(p.a))
// options before more, a region with an error before more
export const r40: Expect<User, DbError, Db> = cacheAside(plain, { ignore: ["x"] })((p: { readonly id: string; readonly x: number }) => find(p.id))({ id: "", x: 1 })
export const r41: Effect.Effect<User, DbError | CacheError, Db | CacheClient> = stampedeProtect(Users, { onTimeout: "fail" })(({ userId }: { readonly userId: string }) => find(userId))({ userId: "" })
export const r42: Expect<number, never, never> = cacheAside({ key: "one", schema: Schema.Number } as const, {})(Effect.succeed(1))
// an optional part: left out or undefined
export const r43 = Lists.key satisfies "list:{tenant}:{cursor?}"
export const r44 = cacheAside(Lists)((_: { readonly tenant: string; readonly cursor: number | undefined }) => Effect.succeed([]))
export const r45 = cacheAside({ key: "l:{a?}:{b?}", schema: User })((p: { readonly a?: string; readonly b?: string }) => find(`${p.a}${p.b}`))
export const k1 = [buildCacheKey("l:{a}:{b?}", { params: { a: 1 } }), buildCacheKey("l:{a}:{b?}", { params: { a: 1, b: undefined } }), buildCacheKey("l:{a?}"), buildCacheKey("l:{0}:{1?}", { args: [1] }), buildCacheKey("l:{0?}", { args: [undefined] })]
export const w10 = writeThrough(Lists, { invalidateTags: ({ params }) => [`t:${params.tenant}`, `c:${params.cursor ?? "none"}`] })((_: { readonly tenant: string; readonly cursor?: string }) => Effect.succeed([]))
// a writer of a static key takes anything
export const w11: Expect<User, DbError, Db> = writeThrough({ key: "all", schema: User })((name: string) => find(name))("")
export const w12 = writeThrough(plain, { invalidateKeys: ["a"] })((p: { readonly id: string; readonly x: number }) => find(p.id))
export const w13 = writeThrough(({ userId }: { readonly userId: string; readonly name: string }) => find(userId), { ...Users, keyOf: (user) => ({ userId: user.id }), invalidateTags: ({ value }) => [value.id] })
export const w14 = writeAround((_: { readonly userId: string }) => Effect.void, { ...Users, invalidateTags: ["users"] })
// what has no type of its own: by name a default gives one, by key the template does, around a region its key does
export const m18: Expect<number, never, never> = memoize({ name: "a", arity: 2 })((_: string, y = 1) => Effect.succeed(y))("a", 2)
export const m19: Expect<number, never, never> = memoize((_: string, y = 1) => Effect.succeed(y), { name: "a", arity: 2 })("a", 2)
export const m20: Expect<User, DbError, Db> = memoize({ key: "a:{0}" })((x) => find(x.toString()))("a")
export const m21: Expect<User, DbError, Db> = memoize((p) => find(p.id.toString()), { key: "a:{id}" })({ id: "a" })
export const w15: Expect<void, never, never> = writeAround(Users)(({ userId }) => Effect.sync(() => void userId.toString()))({ userId: 1 })
export const w16: Expect<void, never, never> = writeAround(({ userId }) => Effect.sync(() => void userId.toString()), Users)({ userId: 1 })
// data-first, the lists see what the write returns: of a subtype, too
export const w17 = writeThrough(({ userId }: { readonly userId: string }) => findAdmin(userId), { ...Users, invalidateTags: ({ value }) => [value.level.toFixed()] })
export const w18 = writeAround(({ userId }: { readonly userId: string }) => findAdmin(userId), { ...Users, invalidateTags: ({ value, params, previous }) => [value.level.toFixed(), params.userId.toString(), previous._tag] })
export const w19 = writeAround((ids: ReadonlyArray<string>) => findAdmin(ids.join()), { keys: (ids) => ids.map((id) => id.trim()), invalidateTags: ({ value, params }) => [value.level.toFixed(), params.join()] })
// writeAround: the callbacks of options inline, of a region and of keys
export const w20 = writeAround({ keys: (ids: ReadonlyArray<string>) => ids, invalidateTags: ({ params }) => [params.join()] })((ids) => Effect.succeed(ids.join()))
export const w21 = writeAround({ key: "u:{id}", schema: User, invalidateTags: ({ params }) => [params.id.toString()] })(({ id }) => Effect.succeed(id))
export const w22 = writeAround(plain, { invalidateTags: ({ params }) => [params.id.toString()] })(({ id }) => Effect.succeed(id))
export const w23: Effect.Effect<User, DbError | CacheError, Db | CacheClient> = writeAround({ ...Users, onCacheError: "fail" })(({ userId }: { readonly userId: string }) => find(userId))({ userId: "" })
export const w24: Expect<User, DbError, Db> = find("1").pipe(writeAround({ keys: ["a"], invalidateTags: ({ value }: { readonly value: User }) => [value.id] }))
export const w25: Expect<User, DbError, Db> = writeAround({ key: "all", schema: User })((n: number) => find(`${n}`))(1)
export const w26 = writeThrough((name: string) => findAdmin(name), { ...Users, keyOf: (admin: Admin) => ({ userId: admin.level.toFixed() }), invalidateTags: ({ value }) => [value.level.toFixed()] })
// helpers over any function
export const g1 = <A, E, R>(load: (id: string) => Effect.Effect<A, E, R>) => [memoize({ name: "a" })(load), memoize(load, { name: "a" }), writeAround({ keys: ["a"] })(load), writeAround(load, { keys: ["a"] })]
export const g2 = <Args extends ReadonlyArray<any>, A, E, R>(load: (...args: Args) => Effect.Effect<A, E, R>) => [memoize({ name: "a", arity: 1 })(load), writeAround({ keys: ["a"] })(load)]
export const g3 = <A, I>(schema: Schema.Codec<A, I>, write: (p: { readonly id: string }) => Effect.Effect<A>) => writeAround(write, { key: "g:{id}", schema, invalidateTags: ({ value }) => [String(value)] })
// a key that a function makes: what is cached takes what it takes, and may take more; the rest sees its parts
export const f1: Expect<User, DbError, Db> = cacheAside(Searches)((search: Search) => find(search.tenant))({ tenant: "", filter: { kind: "a" } })
export const f2: Expect<User, DbError, Db> = cacheAside((search: Search, _signal?: AbortSignalLike) => find(search.tenant), Searches)({ tenant: "", filter: { kind: "a" } }, {})
export const f3 = cacheAside(Searches)((search) => find(search.filter.kind))
export const f4: Expect<User, DbError, Db> = stampedeProtect({ key: TwoArguments, schema: User, lockTtl: "1 minute" })((tenant: string, page: { readonly no: number; readonly size: number }) => find(tenant + page.size))("", { no: 1, size: 2 })
export const f5: Expect<number, never, never> = memoize({ key: CacheKey.make("m:{at}", (at: Date) => ({ at: at.toISOString() })), ttl: (_, { at }) => (at === "" ? 1 : 2) })((at: Date) => Effect.succeed(at.getTime()))(new Date())
export const f6: Expect<User, DbError, Db> = writeThrough(Searches, { invalidateTags: ({ params }) => [`tenant:${params.tenant}`] })((search: Search, name: string) => find(search.tenant + name))({ tenant: "", filter: { kind: "a" } }, "")
export const f7: Expect<User, DbError, Db> = writeThrough(Searches, { keyOf: (user) => ({ tenant: user.tenantId, kind: "a", cursor: undefined }) })((name: string) => find(name))("")
export const f8: Expect<void, never, never> = writeAround(Searches, { invalidateTags: ({ params }) => [`kind:${params.kind}`] })((_: Search) => Effect.void)({ tenant: "", filter: { kind: "a" } })
export const f9: string = Searches.keyFor({ tenant: "", filter: { kind: "a" } }) + Searches.pattern({ tenant: "" }) + Searches.key.template
export const f10 = [Searches.invalidate({ tenant: "", filter: { kind: "a" } }), CacheClient.use((client) => client.get(Searches, { tenant: "", kind: "a" })), CacheClient.use((client) => client.set(Searches, { tenant: "", kind: "a" }, new User({ id: "", name: "", tenantId: "" })))]
export const f11 = cacheAside({ ...Searches, ttl: "1 hour" })((search: Search) => find(search.tenant))
export const f12 = cacheAside({ key: CacheKey.make("l:{ids}", (...ids: ReadonlyArray<string>) => ({ ids: ids.join() })), schema: User })((...ids: ReadonlyArray<string>) => find(ids.join()))
export const f13 = (template: string) => cacheAside({ key: CacheKey.make(template, (id: string) => ({ id })), schema: User })((id: string) => find(id))
export const f14: Expect<User, DbError, Db> = cacheAside({ key: CacheKey.make("l:{page}", (page?: number) => ({ page: page ?? 1 })), schema: User })((page?: number) => find(String(page)))()
export const f15 = (region: CacheRegion.Any) => (typeof region.key === "string" ? region.key : region.key.template)
export const f16 = <S extends CacheRegion.Shape>(region: CacheRegion<S>) => (typeof region.key === "string" ? region.key : region.key.template) + f15(Searches) + f15(Users)
export const f17 = <const K extends AnyKey>(key: K) => CacheRegion.make({ key, schema: User, ttl: "1 hour" })
export const f18: Expect<User, DbError, Db> = cacheAside(f17(TwoArguments))((tenant: string, _page: { readonly no: number }) => find(tenant))("", { no: 1 })
export const f19: Expect<User, DbError, Db> = cacheAside(f17("u:{id}"))(({ id }: { readonly id: string }) => find(id))({ id: "" })
// memoize in functions that are generic in the value
export const m22 = <A, I>(schema: Schema.Codec<A, I>, value: NoInfer<A>) => Effect.exit(memoize({ name: "a", schema })(Effect.succeed(value)))
export const m23 = <A, I, R>(schema: Schema.Codec<A, I, R, R>, load: (a: string) => Effect.Effect<A>): Cached<{ args: [a: string]; value: A; schemaServices: R }> => memoize({ key: "a:{0}", schema })(load)
export const m24 = <A, I>(schema: Schema.Codec<A, I>, load: Effect.Effect<A>): CachedEffect<{ value: A }> => memoize(load, { name: "a", schema })
export const m25 = <A>(load: (a: string) => Effect.Effect<A>): Cached<{ args: [a: string]; value: A }> => memoize({ name: "a" })(load)
// behind the write, keyOf sees what the write returns
export const w30: Expect<User, DbError, Db> = writeThrough((name: string) => find(name), { ...Users, keyOf: (user) => ({ userId: user.id }), invalidateTags: ({ value }) => [value.id] })("")
export const w31: Expect<Admin, DbError, Db> = writeThrough((id: string) => findAdmin(id), { ...Users, keyOf: (admin) => ({ userId: admin.level }) })("")
export const w32: Expect<User, DbError, Db> = writeThrough(find(""), { key: "u:{0}", schema: User, keyOf: ({ id }) => [id] })
// a write of whatever has what the key needs
export const w33 = <P extends { readonly userId: string }>(write: (p: P) => Effect.Effect<void>) => [writeAround(write, Users), writeAround(Users)(write), writeAround(write, { keys: ["a"] })]
// arity: of arguments that may be left out, of a rest
export const m26 = [memoize({ name: "a", arity: 2 })((id: string, page?: number) => find(id + page)), memoize({ name: "a", arity: 5 })((...ids: ReadonlyArray<string>) => find(ids.join())), memoize({ name: "a", arity: 0 })(() => find(""))]
// a key function that is a method, and needs no this
export const f20 = CacheKey.make("l:{tenant}", ({ of(s: Search) { return { tenant: s.tenant } } }).of)
