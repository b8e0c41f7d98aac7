// biome-ignore-all format: one line each, under what an editor shows of it
/** What an editor shows of each constant: the text of the directive before it. `scripts/type-hovers.ts` asks the compilers for it. */
import { Context, Effect, Schema } from "effect"
import { cacheAside, CacheKey, CacheRegion, memoize, stampedeProtect, writeAround, writeThrough } from "../src/index.ts"
import { type DbError, find, type Search, Searches, Strict, User, Users } from "./shared.ts"

export class Crypt extends Context.Service<Crypt, { readonly key: string }>()("Crypt") {}
export declare const Secret: Schema.Codec<string, string, Crypt, Crypt>
export declare const Signed: Schema.Codec<string, string, never, Crypt>
const byId = ({ userId }: { readonly userId: string }) => find(userId)
const known = (id: string) => Effect.succeed(new User({ id, name: "", tenantId: "" }))

// ---- regions
// it shows: CacheRegion<{ key: "user:{userId}"; value: User; }>
export const region = CacheRegion.make({ key: "user:{userId}", schema: User, ttl: "5 minutes" })
// it shows: CacheRegion<{ key: "p:{0}:{1?}"; value: { readonly x: number; readonly at: Date; }; }>
export const positional = CacheRegion.make({ key: "p:{0}:{1?}", schema: Schema.Struct({ x: Schema.Number, at: Schema.Date }) })
// it shows: CacheRegion<{ key: "s:{id}"; value: User; onCacheError: "fail"; }>
export const failing = CacheRegion.make({ key: "s:{id}", schema: User, onCacheError: "fail" })
// it shows: CacheRegion<{ key: "s:{id}"; value: string; services: Crypt; onCacheError: "fail"; }>
export const secret = CacheRegion.make({ key: "s:{id}", schema: Secret, onCacheError: "fail" })
// it shows: CacheRegion<{ key: "s:{id}"; value: string; encodingServices: Crypt; }>
export const signed = CacheRegion.make({ key: "s:{id}", schema: Signed })
// it shows: CacheKey<"l:{kind}", [search: Search]>
export const made = CacheKey.make("l:{kind}", (search: Search) => ({ kind: search.filter.kind }))
// it shows: CacheRegion<{ key: CacheKey<"l:{kind}", [search: Search]>; value: User; }>
export const byFunction = CacheRegion.make({ key: made, schema: User })

// ---- cached functions and effects
// it shows: Cached<{ args: [{ readonly userId: string; }]; value: User; error: DbError; services: Db; }>
export const curried = cacheAside(Users)(byId)
// it shows: Cached<{ args: [{ readonly userId: string; }]; value: User; error: DbError; services: Db; }>
export const dataFirst = cacheAside(byId, Users)
// it shows: Cached<{ args: [a: string, page: number]; value: User; }>
export const plain = cacheAside({ key: "p:{0}:{1}", schema: User })((a: string, page: number) => known(`${a}${page}`))
// it shows: Cached<{ args: [id: string]; value: string; schemaServices: Crypt; }>
export const encrypted = cacheAside({ key: "s:{0}", schema: Secret })((id: string) => Effect.succeed(id))
// it shows: Cached<{ args: [{ readonly id: string; }]; value: User; error: CacheError | DbError; services: Db; }>
export const strict = cacheAside(Strict)(({ id }: { readonly id: string }) => find(id))
// it shows: Cached<{ args: [search: Search]; value: User; error: DbError; services: Db; }>
export const ofFunction = cacheAside(Searches)((search: Search) => find(search.tenant))
// it shows: CachedEffect<{ value: number; }>
export const effect = Effect.succeed(1).pipe(cacheAside({ key: "n", schema: Schema.Number }))
// it shows: CachedEffect<{ value: User; error: DbError; services: Db; }>
export const effectOf = stampedeProtect(find("1"), { key: "n", schema: User })
// it shows: Cached<{ args: [text: string]; value: number; }>
export const memoized = memoize({ name: "parse" })((text: string) => Effect.succeed(text.length))
// it shows: Effect.Effect<User, DbError, CacheClient | Db>
export const call = curried({ userId: "1" })

// ---- writes
// it shows: Cached<{ args: [{ readonly userId: string; readonly name: string; }]; value: User; error: DbError; services: Db; }>
export const write = writeThrough(Users, { invalidateTags: ["a"] })(({ userId }: { readonly userId: string; readonly name: string }) => find(userId))
// it shows: WriteCall<{ args: [name: string]; value: User; error: DbError; services: Db; }>
export const create = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }) })((name: string) => find(name))
// it shows: WriteCall<{ args: [params: { readonly userId: string; }]; value: void; error: DbError; services: Db; }>
export const remove = writeAround(Users)((params: { readonly userId: string }) => Effect.asVoid(byId(params)))

// ---- patterns that await their function
// it shows: WrapFunction<{ key: "user:{userId}"; value: User; }>
export const awaiting = cacheAside(Users)
// it shows: WrapFunction<{ key: "user:{userId}"; value: User; ignore: "requestId" | "trace"; }>
export const ignoring = cacheAside(Users, { ignore: ["requestId", "trace"] })
// it shows: WrapEffect<{ key: "n"; value: number; error: CacheError; }>
export const awaitingEffect = stampedeProtect({ key: "n", schema: Schema.Number, onTimeout: "fail" })
// it shows: WrapFunction<{ key: "user:{userId}"; value: User; ignore: FreeOrKeyOf; }>
export const awaitingWrite = writeThrough(Users)
// it shows: WrapAny<{ value: User; }>
export const awaitingCreate = writeThrough(Users, { keyOf: (user) => ({ userId: user.id }) })
// it shows: WrapRegion<{ key: "user:{userId}"; value: unknown; }>
export const awaitingRemove = writeAround(Users)
// it shows: WrapMemo<{ name: string; arity: 2; }>
export const awaitingMemo = memoize({ name: "a", arity: 2 })
// it shows: WrapMemo<{ key: "a:{0}"; value: User; }>
export const awaitingStored = memoize({ key: "a:{0}", schema: User })

// ---- in functions that are generic in a part of it
export const repository = <A, E, R, S>(schema: Schema.Codec<A, unknown, S, S>, load: (id: string) => Effect.Effect<A, E, R>) => {
  // it shows: Cached<{ args: [{ readonly id: string; }]; value: A; error: E; services: R; schemaServices: S; }>
  const get = cacheAside({ key: "g:{id}", schema })(({ id }: { readonly id: string }) => load(id))
  return { get, names: (id: string) => Effect.map(get({ id }), (one) => [one]) }
}
export const withRegion = <A>(users: CacheRegion<{ key: "user:{userId}"; value: A }>, load: (id: string) => Effect.Effect<A, DbError>) => {
  // it shows: Cached<{ args: [{ readonly userId: string; }]; value: A; error: DbError; }>
  const get = cacheAside(users)(({ userId }: { readonly userId: string }) => load(userId))
  return get
}
