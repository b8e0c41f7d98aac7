// biome-ignore-all format: what the compiler says is of the line below
/**
 * What must not compile, and what the compiler says of it: the text of each directive is part of its message, on each TypeScript
 * that `scripts/type-tests.ts` knows.
 */
import { Effect, pipe } from "effect"
import { buildCacheKey, cacheAside, CacheClient, CacheKey, CacheRegion, invalidateKeys, invalidateTags, memoize, stampedeProtect, tagCacheKey, writeAround, writeThrough } from "../src/index.ts"
import { cond, type Db, type DbError, type Expect, find, findAdmin, over, type Q2, type Query, type Search, Searches, Strict, TwoArguments, User, Users } from "./shared.ts"

// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x1 = cacheAside({ key: "list:{tenant}", schema: User })(({ tenant }: { readonly tenant: string; readonly page: number }) => find(tenant))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x2 = cacheAside(({ tenant }: { readonly tenant: string; readonly page: number }) => find(tenant), { key: "list:{tenant}", schema: User })
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x3 = cacheAside(Users)(({ userId }: { readonly userId: string; readonly page: number; readonly size: number }) => find(userId))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x4 = pipe(({ userId }: { readonly userId: string; readonly page: number }) => find(userId), cacheAside(Users))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x5 = stampedeProtect(Users, { lockTtl: "1 minute" })(({ userId }: { readonly userId: string; readonly page: number }) => find(userId))
// @ts-expect-error the key does not contain: b; add it to the key or to ignore
export const x6 = memoize({ key: "m:{a}" })(({ a }: { readonly a: string; readonly b: string }) => find(a))
// @ts-expect-error the key does not contain: b; add it to the key or to ignore
export const x7 = memoize(({ a }: { readonly a: string; readonly b: string }) => find(a), { key: "m:{a}" })
// @ts-expect-error the key does not contain: argument 1; add {1} to the key, or 1 to ignore
export const x8 = cacheAside({ key: "x:{0}", schema: User })((a: string, page: number) => find(a + page))
// @ts-expect-error the key does not contain: argument 1; add {1} to the key, or 1 to ignore
export const x9 = cacheAside({ key: "x:{0}", schema: User })((a: string, page?: number) => find(a + page))
// @ts-expect-error the key does not contain: argument 1; add {1} to the key, or 1 to ignore
export const x10 = cacheAside(Users)(({ userId }: { readonly userId: string }, page: number) => find(userId + page))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x11 = cacheAside(Users)(({ userId }: { readonly userId: string; readonly page?: number }) => find(userId))
// @ts-expect-error the key does not contain: slug; add it to the key or to ignore
export const x12 = cacheAside({ key: "u:{kind}", schema: User })((p: { readonly kind: "a" } | { readonly kind: "b"; readonly slug: string }) => find(p.kind))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x13 = cacheAside({ key: "q:{tenant}", schema: User })((query: Query) => find(query.tenant))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x14 = cacheAside(Users)(Effect.fn("getUser")(function*({ userId }: { readonly userId: string; readonly page: number }) { return yield* find(userId) }))
// @ts-expect-error ignore names what the function does not take: requestID
export const x15 = cacheAside(Users, { ignore: ["requestID"] })(({ userId }: { readonly userId: string; readonly requestId: string }) => find(userId))
// @ts-expect-error ignore must be a list of literals: add "as const"
export const x16 = cacheAside(Users, { ignore: ["requestId"] as Array<string> })(({ userId }: { readonly userId: string; readonly requestId: string }) => find(userId))
// @ts-expect-error the function takes any number of arguments: take one list, or a fixed number
export const x17 = cacheAside({ key: "x:{0}", schema: User })((...ids: ReadonlyArray<string>) => find(ids.join()))
// @ts-expect-error the parameter may have any property: write down which
export const x18 = cacheAside(Users)((p: Readonly<Record<string, string>>) => find(String(p["userId"])))
// @ts-expect-error Argument of type '(p: P) => Effect.Effect<User, DbError, Db>' is not assignable
export const x19 = <P extends { readonly userId: string }>() => cacheAside(Users)((p: P) => find(p.userId))
// @ts-expect-error the parameter has no property for {userId} of the key
export const y1 = cacheAside(Users)(({ id }: { readonly id: string }) => find(id))
// @ts-expect-error the parameter has no property for {userId} of the key
export const y2 = cacheAside(({ id }: { readonly id: string }) => find(id), Users)
// @ts-expect-error {user} is no string, number, bigint or boolean: pass its id
export const y3 = cacheAside({ key: "u:{user}", schema: User })(({ user }: { readonly user: User }) => find(user.id))
// @ts-expect-error {day} is a Date: pass its text, for example date.toISOString()
export const y4 = cacheAside({ key: "d:{day}", schema: User })(({ day }: { readonly day: Date }) => find(String(day)))
// @ts-expect-error {cursor} may be undefined: write {cursor?} in the key, or give it a default
export const y5 = cacheAside({ key: "l:{cursor}", schema: User })(({ cursor }: { readonly cursor: string | undefined }) => find(cursor ?? ""))
// @ts-expect-error {cursor} may be undefined: write {cursor?} in the key, or give it a default
export const y6 = cacheAside({ key: "l:{cursor}", schema: User })(({ cursor }: { readonly cursor?: string }) => find(cursor ?? ""))
// @ts-expect-error {cursor} may be null: a part of a key is a string, number, bigint or boolean
export const y7 = cacheAside({ key: "l:{cursor}", schema: User })(({ cursor }: { readonly cursor: string | null }) => find(cursor ?? ""))
// @ts-expect-error the function has no argument for {1} of the key
export const y8 = cacheAside({ key: "x:{0}:{1}", schema: User })((a: string) => find(a))
// @ts-expect-error {0} is no string, number, bigint or boolean: pass its id
export const y9 = cacheAside({ key: "x:{0}", schema: User })((a: User) => find(a.id))
// @ts-expect-error the key has names: take one object with userId, or use {0} in the key
export const y10 = cacheAside(Users)((userId: string) => find(userId))
// @ts-expect-error the key has a placeholder: give a function that takes userId, not an effect
export const y11 = find("1").pipe(cacheAside(Users))
// @ts-expect-error the key has a placeholder: give a function that takes userId, not an effect
export const y12 = cacheAside(Users)(find("1"))
// @ts-expect-error the key has a placeholder: give a function that takes userId, not an effect
export const y13 = cacheAside(find("1"), Users)
// @ts-expect-error the key has no placeholder, but the function takes argument 0: write {0} or a property's {name} in the key, or 0 in ignore
export const y14 = cacheAside({ key: "all", schema: User })((id: string) => find(id))
// @ts-expect-error the key has a placeholder, but the function takes no argument: userId
export const y15 = cacheAside(Users)(() => find("1"))
// @ts-expect-error a key has either names or numbers: x:{0}:{id}
export const y16 = cacheAside({ key: "x:{0}:{id}", schema: User })((a: string, b: { readonly id: string }) => find(a + b.id))
// @ts-expect-error the parameter has no property for {user.id} of the key
export const y17 = cacheAside({ key: "u:{user.id}", schema: User })(({ user }: { readonly user: User }) => find(user.id))
// @ts-expect-error the function returns a Promise: use Effect.tryPromise
export const y18 = cacheAside(Users)(async ({ userId }: { readonly userId: string }) => ({ id: userId }))
// @ts-expect-error Type '{ id: string; }' is missing the following properties from type 'User': name, tenantId
export const y19 = cacheAside(Users)(({ userId }: { readonly userId: string }) => Effect.succeed({ id: userId }))
// @ts-expect-error Type '{ id: string; }' is missing the following properties from type 'User': name, tenantId
export const y20 = cacheAside(({ userId }: { readonly userId: string }) => Effect.succeed({ id: userId }), Users)
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y21 = invalidateTags("users")
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y22 = CacheRegion.make({ key: "u:{userId}", schema: User, tags: "users" })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y23 = CacheRegion.make({ key: "u:{userId}", schema: User, tags: (user) => user.tenantId })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y24 = cacheAside({ key: "u:{userId}", schema: User, tags: "users" })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y25 = writeThrough(Users, { invalidateTags: "users" })(({ userId }: { readonly userId: string }) => find(userId))
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const y26 = writeThrough(Users, { invalidateKeys: ({ value }) => `user:${value.name}` })(({ userId }: { readonly userId: string }) => find(userId))
// @ts-expect-error Object literal may only specify known properties, and 'invalidate' does not exist in type
export const y27 = writeThrough(Users, { invalidate: ["x"] })(({ userId }: { readonly userId: string }) => find(userId))
// @ts-expect-error Object literal may only specify known properties, and 'ttlSeconds' does not exist in type
export const y28 = cacheAside({ key: "u:{userId}", schema: User, ttlSeconds: 5 })
// @ts-expect-error Object literal may only specify known properties, and 'ttlSeconds' does not exist in type
export const y29 = cacheAside(({ userId }: { readonly userId: string }) => find(userId), { key: "u:{userId}", schema: User, ttlSeconds: 5 })
// @ts-expect-error Object literal may only specify known properties, but 'lockTtL' does not exist in type
export const y30 = stampedeProtect(Users, { lockTtL: "1 minute" })
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const y31 = CacheRegion.make({ key: "u:{userId}", schema: User, ttl: "5m" })
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const y32 = cacheAside({ key: "u:{userId}", schema: User, ttl: "5m" })
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const y33 = CacheRegion.make({ key: "u:{userId}", schema: User, ttl: () => "5m" })
// @ts-expect-error Property 'schema' is missing in type '{ key: "u:{userId}"; ttl: "5 minutes"; }' but required in type 'RegionOptions<"u:{userId}", unknown, unknown, never, never, "bypass">'
export const y34 = cacheAside({ key: "u:{userId}", ttl: "5 minutes" })
// @ts-expect-error Property 'id' does not exist on type '{ readonly userId: KeyPart; }'
export const y35 = CacheRegion.make({ key: "u:{userId}", schema: User, tags: (_, { id }) => [`u:${id}`] })
// @ts-expect-error Object literal may only specify known properties, and 'ignore' does not exist in type
export const y36 = CacheRegion.make({ key: "u:{userId}", schema: User, ignore: ["x"] })
// @ts-expect-error keyOf gives the parts of the key, of what was written: an object by name, or a list by position
export const z1 = writeThrough(Users, { keyOf: (user) => ({ id: user.id }) })
// @ts-expect-error Property 'peek' does not exist on type 'WriteCall<{ args: [name: string]; value: User; error: DbError; services: Db; }>'
export const z2 = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }) })((name: string) => find(name)).peek
// @ts-expect-error the parameter has no property for {userId} of the key
export const z3 = writeThrough(Users)(({ id }: { readonly id: string }) => find(id))
// @ts-expect-error Type 'void' is not assignable to type 'User'
export const z4 = writeThrough(Users)(({ userId }: { readonly userId: string }) => Effect.asVoid(find(userId)))
// @ts-expect-error the parameter has no property for {userId} of the key
export const z5 = writeAround(Users)(({ id }: { readonly id: string }) => find(id))
// @ts-expect-error its value must be one of the schema
export const z9 = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }) })((name: string) => Effect.succeed(name))
// @ts-expect-error the function takes any number of arguments: take one list, or a fixed number
export const x20 = cacheAside({ key: "x:{0}", schema: User })((...ids: Array<string>) => find(ids.join()))
// @ts-expect-error the parameter is any: give it a type
export const x25 = cacheAside(Users)((p: any) => find(p.userId))
// @ts-expect-error the key does not contain: loud; add it to the key or to ignore
export const x21 = cacheAside({ key: "q:{tenant}", schema: User })((query: Q2) => find(query.loud))
// @ts-expect-error Type '"CacheError"' is not assignable to type '"DbError"'
export const x22: Expect<User, DbError, Db> = cacheAside(({ id }: { readonly id: string }) => find(id), Strict)({ id: "" })
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const x23 = CacheRegion.make({ key: "v:{id}", schema: User, ttl: String("5 minutes") })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const x24 = invalidateTags(cond ? "a" : ["a"])
// @ts-expect-error {userId} may be undefined: write {userId?} in the key, or give it a default
export const x27 = cacheAside(Users)((p?: { readonly userId: string }) => find(p?.userId ?? ""))
// @ts-expect-error the key does not contain: page; add it to the key or to ignore
export const x28 = cacheAside(Users)(over)
// @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'Readonly<Record<string, never>>'
export const a78 = CacheClient.use((client) => client.set(CacheRegion.make({ key: "total", schema: User }), 42, cond as never))
// @ts-expect-error the function takes any number of arguments: say with arity how many are in the key
export const a1 = memoize({ name: "a" })((...ids: Array<string>) => find(ids.join()))
// @ts-expect-error the function takes any number of arguments: say with arity how many are in the key
export const a2 = memoize({ name: "a" })((...ids: ReadonlyArray<string>) => find(ids.join()))
// @ts-expect-error the function has optional arguments: say with arity how many are in the key
export const a3 = memoize({ name: "a" })((id: string, page?: number) => find(id + page))
// @ts-expect-error the function has optional arguments: say with arity how many are in the key
export const a4 = memoize((id: string, page = 1) => find(id + page), { name: "a" })
// @ts-expect-error an argument before the last may have a default, where counting ends: say with arity how many are in the key
export const a77 = memoize({ name: "a" })((id: string, page: string | undefined = "1", at: string) => find(id + page + at))
// @ts-expect-error the function returns a Promise: use Effect.tryPromise
export const a5 = memoize({ name: "a" })(async (id: string) => id)
// @ts-expect-error Type 'number' is not assignable to type 'undefined'
export const a6 = memoize({ key: "a:{0}", arity: 1 })
// @ts-expect-error Type 'number[]' is not assignable to type 'undefined'
export const a7 = memoize({ name: "a", ignore: [1] })
// @ts-expect-error Argument of type '{ ttl: "1 minute"; }' is not assignable
export const a8 = memoize({ ttl: "1 minute" })
// @ts-expect-error the key does not contain: b; add it to the key or to ignore
export const a9 = memoize({ key: "m:{a}", schema: User })((p: { readonly a: string; readonly b: string }) => find(p.a + p.b))
// @ts-expect-error ignore names what the function does not take: 0
export const a10 = cacheAside({ key: "all", schema: User, ignore: [0] })(find("1"))
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const a11 = CacheClient.use((cache) => cache.getMany("u:1", User))
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const a12 = CacheClient.use((cache) => cache.tag("u:1", "users"))
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const a13 = invalidateKeys("u:1")
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const a14 = tagCacheKey("u:1", "abc")
// @ts-expect-error ignore names what the function does not take: 2
export const a15 = cacheAside({ key: "x:{0}", schema: User, ignore: [2] })((a: string, b: string) => find(a + b))
// @ts-expect-error Object literal may only specify known properties, but 'ignored' does not exist in type
export const a16 = cacheAside(Users, { ignored: ["requestId"] })
// @ts-expect-error {a} may be undefined: write {a?} in the key, or give it a default
export const a17 = cacheAside({ key: "l:{a}:{b?}", schema: User })((p: { readonly a?: string; readonly b?: string }) => find(String(p.a)))
// @ts-expect-error no options of a region: they have a wrong type
export const a18 = cacheAside({ key: "u:{id}", schema: User, ttl: "5m" } as const, { ignore: ["x"] })
// @ts-expect-error Property 'a' is missing in type '{ b: number; }' but required in type '{ readonly a: KeyPart; readonly b?: KeyPart | undefined; }'
export const a19 = buildCacheKey("l:{a}:{b?}", { params: { b: 1 } })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const a20 = CacheClient.use((cache) => cache.set("k", new User({ id: "", name: "", tenantId: "" }), { schema: User, tags: "abc" }))
// @ts-expect-error 'invalidate' does not exist in type 'AroundOptions<unknown, "user:{userId}", User> & Beside<
export const b1 = writeAround(Users, { invalidate: ["x"] })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const b2 = writeAround(Users, { invalidateTags: "users" })
// @ts-expect-error 'onCacheErr' does not exist in type 'KeysOptions<unknown, unknown, "bypass">'. Did you mean to write 'onCacheError'?
export const b3 = writeAround({ keys: ["a"], onCacheErr: "fail" })
// @ts-expect-error 'invalidate' does not exist in type 'KeysOptions<number, number, "bypass">'
export const b4 = writeAround((n: number) => Effect.succeed(n), { keys: ["a"], invalidate: ["x"] })
// @ts-expect-error write "bypass", to carry on without the cache, or "fail", to fail with CacheError
export const b5 = writeAround({ keys: ["a"], onCacheError: "fial" })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const b6 = writeAround({ keys: "a" })
// @ts-expect-error give a region or { keys }, and the write: writeAround(region)(write), or writeAround(write, region)
export const b7 = writeAround({})
// @ts-expect-error Property 'id' does not exist on type '{ readonly userId: KeyPart; }'
export const b8 = writeAround(Users, { invalidateTags: ({ params }) => [params.id] })
// @ts-expect-error Property 'nope' does not exist on type 'User'
export const b9 = writeAround(({ userId }: { readonly userId: string }) => find(userId), { ...Users, invalidateTags: ({ value }) => [value.nope] })
// @ts-expect-error the parameter has no property for {userId} of the key
export const b10 = writeAround(({ id }: { readonly id: string }) => find(id), Users)
// @ts-expect-error the key has a placeholder: give a function that takes userId, not an effect
export const b11 = writeAround(find("1"), Users)
// @ts-expect-error no options of a region: they have a wrong type
export const b12 = writeAround({ key: "u:{id}", schema: User, ttl: "5m" } as const, { invalidateTags: ["x"] })
// @ts-expect-error Type 'number' is not assignable to type 'User'
export const b13 = writeAround({ keys: ["a"], invalidateTags: ({ value }: { readonly value: User }) => [value.id] })((n: number) => Effect.succeed(n))
// @ts-expect-error Property 'id' is missing in type '{ readonly ids: readonly string[]; }' but required in type '{ readonly id: string; }'
export const b14 = writeAround({ keys: (p: { readonly ids: ReadonlyArray<string> }) => p.ids })((p: { readonly id: string }) => Effect.succeed(p))
// @ts-expect-error Parameter 'x' implicitly has an 'any' type
export const b15 = writeAround({ keys: ["a"] })((x) => Effect.succeed(x))
// @ts-expect-error Parameter 'x' implicitly has an 'any' type
export const b16 = writeAround((x) => Effect.succeed(x), { keys: ["a"] })
// @ts-expect-error Parameter 'x' implicitly has an 'any' type
export const b17 = memoize({ name: "a" })((x) => Effect.succeed(x))
// @ts-expect-error Parameter 'x' implicitly has an 'any' type
export const b18 = memoize((x) => Effect.succeed(x), { name: "a" })
// @ts-expect-error Parameter 'x' implicitly has an 'any' type
export const b19 = memoize({ name: "a", arity: 2 })((x, y = 1) => Effect.succeed(`${x}${y.toFixed()}`))
// @ts-expect-error 'x' is of type 'unknown'
export const b20 = memoize({ name: "a", schema: User })((x) => find(x.id))
// @ts-expect-error 'y' is of type 'unknown'
export const b21 = memoize({ key: "x:{0}", ignore: [1] })((x, y = 1) => find(String(x) + y.toFixed()))
// @ts-expect-error 'y' is of type 'unknown'
export const b22 = cacheAside({ key: "x:{0}", schema: User, ignore: [1] })((x, y) => find(String(x) + y.id))
// @ts-expect-error Argument of type 'unknown' is not assignable to parameter of type 'string'
export const b23 = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }) })((name) => find(name))
// @ts-expect-error the key has names: take one object with userId, or use {0} in the key; if only what was written has it, keyOf must return it
export const b24 = writeThrough(Users)((name: string) => find(name))
// @ts-expect-error the parameter has no property for {userId} of the key; if only what was written has it, keyOf must return it
export const b25 = writeThrough(Users)(({ name }: { readonly name: string }) => find(name))
// @ts-expect-error the function has no argument for {1} of the key; if only what was written has it, keyOf must return it
export const b26 = writeThrough({ key: "at:{0}:{1}", schema: User })((name: string) => find(name))
// @ts-expect-error the key has a placeholder, but the function takes no argument: userId; if only what was written has it, keyOf must return it
export const b27 = writeThrough(Users)(() => find("1"))
// @ts-expect-error the key has names: take one object with userId, or use {0} in the key; if only what was written has it, keyOf must return it
export const b28 = writeThrough(Users, { keyOf: (user) => ({ id: user.id }) })((name: string) => find(name))
// @ts-expect-error Type '{ id: string; }' is not assignable to type '
export const b29 = writeThrough(Users, { keyOf: (user) => ({ id: user.id }) })((name: string) => find(name))
// @ts-expect-error Type 'number' is not assignable to type 'string'
export const b30 = CacheRegion.make({ key: "u:{userId}", schema: User, tags: [1] })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const b31 = CacheRegion.make({ key: "u:{userId}", schema: User, tags: (user) => [user.id.length] })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const b32 = invalidateTags([1])
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const b33 = writeThrough(Users, { invalidateTags: ({ value }) => [value.id.length] })
// @ts-expect-error a { of the key is not closed: {userId
export const b34 = cacheAside({ key: "u:{userId", schema: User })(({ userId }: { readonly userId: string }) => find(userId))
// @ts-expect-error a { of the key is not closed: {userId
export const b35 = cacheAside({ key: "u:{a}:{userId", schema: User })(({ a, userId }: { readonly a: string; readonly userId: string }) => find(a + userId))
// @ts-expect-error a { of the key is not closed: {a:{userId
export const b36 = cacheAside({ key: "u:{a:{userId}", schema: User })(({ a, userId }: { readonly a: string; readonly userId: string }) => find(a + userId))
// @ts-expect-error a { of the key is not closed: {all
export const b37 = cacheAside({ key: "{all", schema: User })(find("1"))
// @ts-expect-error a { of the key is not closed: {1
export const b38 = writeThrough({ key: "x:{0}:{1", schema: User })((a: string, b: string) => find(a + b))
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const b39 = memoize({ name: "a" })((x: number) => x + 1)
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const b40 = memoize((x: number) => x + 1, { key: "a:{0}" })
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const b41 = cacheAside(Users)(({ userId }: { readonly userId: string }) => userId)
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const b42 = writeAround({ keys: ["a"] })((x: number) => x)
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const b43 = stampedeProtect(Users, { lockTtl: "5m" })
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const b44 = CacheRegion.make({ key: "u:{userId}", schema: User, ttl: 'no duration: write "5 minutes", a number of milliseconds, or a Duration' })
// @ts-expect-error Property 'nope' does not exist on type 'Admin'
export const b45 = writeThrough(({ userId }: { readonly userId: string }) => findAdmin(userId), { ...Users, invalidateTags: ({ value }) => [value.nope] })
// @ts-expect-error the parts have no property for {kind} of the key
export const f1 = CacheKey.make("l:{tenant}:{kind}", (s: Search) => ({ tenant: s.tenant }))
// @ts-expect-error the parts have no property for {cursor} of the key
export const f2 = CacheKey.make("l:{tenant}:{cursor?}", (s: Search) => ({ tenant: s.tenant }))
// @ts-expect-error the key has no {kind} for this part: add it, or leave the part out
export const f3 = CacheKey.make("l:{tenant}", (s: Search) => ({ tenant: s.tenant, kind: s.filter.kind }))
// @ts-expect-error {filter} is no string, number, bigint or boolean: pass its id
export const f4 = CacheKey.make("l:{filter}", (s: Search) => ({ filter: s.filter }))
// @ts-expect-error {cursor} may be undefined: write {cursor?} in the key, or give it a default
export const f5 = CacheKey.make("l:{cursor}", (s: Search) => ({ cursor: s.cursor }))
// @ts-expect-error {c} may be null: a part of a key is a string, number, bigint or boolean
export const f6 = CacheKey.make("l:{c}", (s: Search) => ({ c: s.cursor ?? null }))
// @ts-expect-error {at} is a Date: pass its text, for example date.toISOString()
export const f7 = CacheKey.make("l:{at}", (at: Date) => ({ at }))
// @ts-expect-error the function of the key gives no object: return one with tenant
export const f8 = CacheKey.make("l:{tenant}", (s: Search) => s.tenant)
// @ts-expect-error the function of the key gives a list: return an object with tenant
export const f9 = CacheKey.make("l:{tenant}", (s: Search) => [s.tenant])
// @ts-expect-error the function of the key returns a Promise: a key is made at once
export const f10 = CacheKey.make("l:{tenant}", async (s: Search) => ({ tenant: s.tenant }))
// @ts-expect-error the function of the key returns an Effect: a key is made at once
export const f11 = CacheKey.make("l:{tenant}", (s: Search) => Effect.succeed({ tenant: s.tenant }))
// @ts-expect-error the parts of a function have names: write names in the template, not numbers
export const f12 = CacheKey.make("l:{0}", (s: Search) => [s.tenant])
// @ts-expect-error the template has no placeholder: it is a key by itself
export const f13 = CacheKey.make("all", (_: Search) => ({}))
// @ts-expect-error a parameter is any: give it a type
export const f14 = CacheKey.make("l:{tenant}", (s: any) => ({ tenant: s.tenant }))
// @ts-expect-error the parts are any: give them a type
export const f15 = CacheKey.make("l:{tenant}", (_: Search): any => ({}))
// @ts-expect-error give a function whose parameters have types: (p: Params) => ({ ... })
export const f16 = CacheKey.make("l:{tenant}", "tenant")
// @ts-expect-error the parts have no property for {kind} of the key
export const f17 = cacheAside({ key: CacheKey.make("l:{kind}", (s: Search) => ({ tenant: s.tenant })), schema: User })
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f18 = CacheRegion.make({ key: (s: Search) => s.tenant, schema: User })
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f19 = cacheAside({ key: (s: Search) => ({ tenant: s.tenant }), schema: User })
// @ts-expect-error the key is made of filter of argument 0, which the function does not take
export const f20 = cacheAside(Searches)(({ tenant }: { readonly tenant: string }) => find(tenant))
// @ts-expect-error the key is made of filter of argument 0, which the function does not take
export const f21 = cacheAside(({ tenant }: { readonly tenant: string }) => find(tenant), Searches)
// @ts-expect-error the key is made of filter of argument 0, and takes another type of it
export const f22 = cacheAside(Searches)((s: { readonly tenant: string; readonly filter: { readonly kind: string } }) => find(s.tenant))
// @ts-expect-error the key is made of argument 0, and takes another type of it
export const f23 = cacheAside(Searches)((tenant: string) => find(tenant))
// @ts-expect-error the key is made of argument 0, which the function does not take
export const f24 = cacheAside(Searches)(() => find("1"))
// @ts-expect-error the key is made of argument 1, which the function does not take
export const f25 = cacheAside({ key: TwoArguments, schema: User })((tenant: string) => find(tenant))
// @ts-expect-error the key is made of argument 0, which the function does not take
export const f26 = cacheAside(Searches)((...all: ReadonlyArray<Search>) => find(String(all.length)))
// @ts-expect-error argument 0 may be undefined, of which no key is made
export const f27 = cacheAside(Searches)((s?: Search) => find(s?.tenant ?? ""))
// @ts-expect-error the key is made of arguments: give a function that takes them, not an effect
export const f28 = cacheAside(Searches)(find("1"))
// @ts-expect-error a function makes the key, and says what is in it: leave ignore out
export const f29 = cacheAside(Searches, { ignore: ["cursor"] })((s: Search) => find(s.tenant))
// @ts-expect-error the parameter is any: give it a type
export const f30 = cacheAside(Searches)((s: any) => find(s.tenant))
// @ts-expect-error the function returns a Promise: use Effect.tryPromise
export const f31 = cacheAside(Searches)(async (s: Search) => s.tenant)
// @ts-expect-error the key is made of argument 0, and takes another type of it
export const f32 = memoize({ key: CacheKey.make("m:{at}", (at: Date) => ({ at: at.toISOString() })) })((at: string) => find(at))
// @ts-expect-error the key is made of argument 0, and takes another type of it; if only what was written has it, keyOf must return it
export const f33 = writeThrough(Searches)((tenant: string) => find(tenant))
// @ts-expect-error the key is made of argument 0, and takes another type of it
export const f34 = writeAround(Searches)((tenant: string) => find(tenant))
// @ts-expect-error Property 'kind' is missing in type
export const f35 = writeThrough(Searches, { keyOf: (user) => ({ tenant: user.tenantId }) })
// @ts-expect-error 'kind' does not exist in type 'Search'
export const f36 = Searches.invalidate({ tenant: "", kind: "a" })
// @ts-expect-error 'filter' does not exist in type
export const f37 = Searches.pattern({ filter: { kind: "a" } })
// @ts-expect-error 'filter' does not exist in type
export const f38 = CacheClient.use((client) => client.get(Searches, { tenant: "", filter: { kind: "a" } }))
// @ts-expect-error a { of the key is not closed: {kind
export const f39 = CacheKey.make("l:{tenant}:{kind", (s: Search) => ({ tenant: s.tenant, kind: s.filter.kind }))
// @ts-expect-error the key is made of filter of argument 0, which the function does not take; if only what was written has it, keyOf must return it
export const f40 = writeThrough(Searches)(({ tenant }: { readonly tenant: string }) => find(tenant))
// @ts-expect-error the key is made of argument 0, which the function does not take; if only what was written has it, keyOf must return it
export const f41 = writeThrough(Searches)(() => find("1"))
// @ts-expect-error the key is made of filter of argument 0, and takes another type of it
export const f42 = writeThrough((s: { readonly tenant: string; readonly filter: { readonly kind: string } }) => find(s.tenant), Searches)
// @ts-expect-error the function returns no Effect: use Effect.sync around what it does, or Effect.succeed
export const f43 = cacheAside(Searches)((s: Search) => s.tenant)
// @ts-expect-error 's' is of type 'unknown'
export const f44 = cacheAside(Searches)((search, s) => find(search.tenant + s.id))
// @ts-expect-error the key is made of filter of argument 0, which the function does not take
export const f45 = writeAround(({ tenant }: { readonly tenant: string }) => find(tenant), Searches)
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f46 = memoize({ key: (s: Search) => ({ tenant: s.tenant }) })
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f47 = writeThrough((s: Search) => find(s.tenant), { key: (s: Search) => ({ tenant: s.tenant }), schema: User })
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f48 = writeAround({ key: (s: Search) => ({ tenant: s.tenant }), schema: User })
// @ts-expect-error no key: write a template, or make one of a function with CacheKey.make(template, function)
export const f49 = stampedeProtect({ key: 1, schema: User })
// @ts-expect-error no options of a region: they have a wrong type
export const f50 = cacheAside({ key: (s: Search) => ({ tenant: s.tenant }), schema: User }, { ignore: ["cursor"] })
// ---- what newcomers wrote
type U = { readonly userId: string }
function* partsOf(s: Search) { yield s; return { tenant: s.tenant } }
// @ts-expect-error memoize needs { name }: write memoize({ name })(loader), or memoize(loader, { name })
export const n1 = memoize((id: string) => find(id))
// @ts-expect-error memoize needs { name }: write memoize({ name })(loader), or memoize(loader, { name })
export const n2 = memoize(find("1"))
// @ts-expect-error a loader without a region: write pattern(region)(loader), or pattern(loader, region)
export const n3 = cacheAside(({ userId }: U) => find(userId))
// @ts-expect-error a loader without a region: write pattern(region)(loader), or pattern(loader, region)
export const n4 = stampedeProtect(find("1"))
// @ts-expect-error a loader without a region: write pattern(region)(loader), or pattern(loader, region)
export const n5 = writeThrough(({ userId }: U) => find(userId))
// @ts-expect-error give a region or { keys }, and the write: writeAround(region)(write), or writeAround(write, region)
export const n6 = writeAround(({ userId }: U) => find(userId))
// @ts-expect-error write "bypass", to carry on without the cache, or "fail", to fail with CacheError
export const n7 = cacheAside({ key: "u:{userId}", schema: User, onCacheError: "ignore" })(({ userId }: U) => find(userId))
// @ts-expect-error write "bypass", to carry on without the cache, or "fail", to fail with CacheError
export const n8 = CacheRegion.make({ key: "u:{userId}", schema: User, onCacheError: "ignore" })
// @ts-expect-error write "bypass", to carry on without the cache, or "fail", to fail with CacheError
export const n9 = writeThrough(({ userId }: U) => find(userId), { ...Users, onCacheError: "ignore" })
// @ts-expect-error write "bypass", to carry on without the cache, or "fail", to fail with CacheError
export const n10 = writeAround(({ userId }: U) => find(userId), { ...Users, onCacheError: "ignore" })
// @ts-expect-error write "load", to load without storing, or "fail", to fail with CacheError
export const n11 = stampedeProtect({ key: "u:{userId}", schema: User, onTimeout: "throw" })(({ userId }: U) => find(userId))
// @ts-expect-error write "load", to load without storing, or "fail", to fail with CacheError
export const n12 = stampedeProtect(Users, { onTimeout: "throw" })
// @ts-expect-error write "load", to load without storing, or "fail", to fail with CacheError
export const n13 = stampedeProtect(({ userId }: U) => find(userId), { ...Users, onTimeout: "throw" })
// @ts-expect-error a list: write ["name"], or [1] for argument 1
export const n14 = cacheAside(Users, { ignore: "page" })
// @ts-expect-error a list: write ["name"], or [1] for argument 1
export const n15 = stampedeProtect({ key: "u:{userId}", schema: User, ignore: 1 })
// @ts-expect-error a list: write ["name"], or [1] for argument 1
export const n16 = memoize({ key: "u:{userId}", ignore: "page" })
// @ts-expect-error keyOf gives the parts of the key, of what was written: an object by name, or a list by position
export const n17 = writeThrough(Users, { keyOf: (user) => user.id })
// @ts-expect-error keyOf gives the parts of the key, of what was written: an object by name, or a list by position
export const n18 = writeThrough(Users, { keyOf: "id" })
// @ts-expect-error keyOf gives the parts of the key, of what was written: an object by name, or a list by position
export const n19 = writeThrough((name: string) => find(name), { ...Users, keyOf: (user) => ({ id: user.id }) })
// @ts-expect-error Property 'nope' does not exist on type 'User'
export const n20 = writeThrough((name: string) => find(name), { ...Users, keyOf: (user) => ({ userId: user.nope }) })
// @ts-expect-error the key has names: take one object with userId, or use {0} in the key; if only what was written has it, keyOf must return it
export const n21 = writeThrough((name: string) => find(name), { ...Users, invalidateTags: ({ value }) => [value.id] })
// @ts-expect-error the parameter has no property for {userId} of the key; if only what was written has it, keyOf must return it
export const n22 = writeThrough(({ id }: { readonly id: string }) => find(id), Users)
// @ts-expect-error the function is a generator: wrap it, as in Effect.fn(function*() { ... })
export const n23 = cacheAside(Users)(function*({ userId }: U) { return yield* find(userId) })
// @ts-expect-error the function is a generator: wrap it, as in Effect.fn(function*() { ... })
export const n24 = memoize({ name: "a" })(function*(id: string) { return yield* find(id) })
// @ts-expect-error the function is a generator: wrap it, as in Effect.fn(function*() { ... })
export const n25 = writeAround(async function*({ userId }: U) { yield userId }, Users)
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const n26 = stampedeProtect({ key: "u:{userId}", schema: User, tags: (user, { userId }) => `${user.id}${userId}` })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const n27 = memoize({ name: "a", schema: User, tags: (user) => user.id })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const n28 = writeAround(Users, { invalidateTags: ({ params }) => `id:${params.userId}` })
// @ts-expect-error its value must be one of the schema
export const n29 = cacheAside(Users)(({ userId }: U) => Effect.succeed(userId))
// @ts-expect-error its value must be one of the schema
export const n30 = writeThrough(({ userId }: U) => Effect.succeed(userId), Users)
// @ts-expect-error its value must be one of the schema
export const n31 = memoize({ name: "a", schema: User })((id: string) => Effect.succeed(id))
// @ts-expect-error its value must be one of the schema
export const n32 = cacheAside({ key: "a", schema: User })(Effect.succeed("a"))
// @ts-expect-error ttl, tags and the like are of the region: give them to CacheRegion.make, or write { ...region, ttl }
export const n33 = writeThrough(Users, { ttl: "5 minutes" })
// @ts-expect-error ttl, tags and the like are of the region: give them to CacheRegion.make, or write { ...region, ttl }
export const n34 = writeAround(Users, { tags: ["a"] })
// @ts-expect-error ttl, tags and the like are of the region: give them to CacheRegion.make, or write { ...region, ttl }
export const n35 = cacheAside(Users, { ttl: "5 minutes" })
// @ts-expect-error ttl, tags and the like are of the region: give them to CacheRegion.make, or write { ...region, ttl }
export const n36 = stampedeProtect(Users, { onCacheError: "fail" })
// @ts-expect-error keys are given in one with all options: { keys, ...options }
export const n37 = writeAround({ keys: ["a"] }, { onCacheError: "fail" })
// @ts-expect-error the function of the key returns an Effect: a key is made at once
export const n38 = CacheKey.make("l:{tenant}", Effect.fn(function*(s: Search) { return { tenant: s.tenant } }))
// @ts-expect-error the function of the key is a generator: a key is made at once
export const n42 = CacheKey.make("l:{tenant}", partsOf)
// @ts-expect-error no duration: write "5 minutes", a number of milliseconds, or a Duration
export const n43 = CacheClient.use((cache) => cache.set("k", new User({ id: "", name: "", tenantId: "" }), { schema: User, ttl: "5m" }))
// @ts-expect-error the function of the key is called without a this
export const n39 = CacheKey.make("l:{tenant}", function(this: Search) { return { tenant: this.tenant } })
// @ts-expect-error arity is 3, and the function does not take so many arguments
export const n40 = memoize({ name: "a", arity: 3 })((id: string, page?: number) => find(id + page))
// @ts-expect-error Argument of type '(p: P) => Effect<void, never, never>' is not assignable to parameter of type
export const n41 = <P extends { readonly id: string }>(write: (p: P) => Effect.Effect<void>) => writeAround(write, Users)
