// biome-ignore-all format: one example a line
/** What a program exports, for which the compiler writes declarations: each type has a name that can be imported. */
import { Context, Effect, Layer, Option, Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { buildCacheKey, cacheAside, CacheClient, CacheConfig, CacheFallback, CacheKey, CacheLive, CacheMemory, CacheNone, CacheRegion, getCacheStats, invalidateTags, LockManager, memoize, stampedeProtect, tagCacheKey, writeAround, writeThrough } from "../src/index.ts"
import { cachedEndpoint, cachedResponse, CachePolicy, HttpCache } from "../src/http/index.ts"
import { CacheRedis } from "../src/redis/index.ts"
import { CacheTest } from "../src/testing/index.ts"

export class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String, tenant: Schema.String }) {}
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
export class Db extends Context.Service<Db, { readonly find: (id: string) => Effect.Effect<User, NotFound> }>()("Db") {}
type Id = { readonly id: string }
const find = (id: string) => Db.use((db) => db.find(id))

// regions and keys
export const Users = CacheRegion.make({ key: "user:{id}", schema: User, ttl: "5 minutes", tags: (user) => [user.tenant] })
export const Strict = CacheRegion.make({ key: "strict:{id}:{page?}", schema: Schema.Option(User), onCacheError: "fail" })
export const ByKey = CacheKey.make("search:{tenant}:{kind?}", (query: { readonly tenant: string; readonly kind?: string }) => ({ tenant: query.tenant, kind: query.kind }))
export const Searches = CacheRegion.make({ key: ByKey, schema: Schema.Array(User) })
export const Spread = CacheRegion.make({ ...Users, prefix: "v2:" })
export const inline = { key: "inline:{0}:{1}", schema: User, ttl: "1 minute" } as const
export const controls = { keyFor: Users.keyFor, pattern: Users.pattern, invalidate: Users.invalidate, clear: Users.clear, key: Users.key, schema: Users.schema }
export const built = buildCacheKey("user:{id}", { params: { id: "1" } })
export const regionOf = <A, I>(schema: Schema.Codec<A, I>) => CacheRegion.make({ key: "one:{id}", schema })

// what reads
export const wrapUser = cacheAside(Users)
export const getUser = cacheAside(Users)(({ id }: Id) => find(id))
export const getFirst = cacheAside(({ id }: Id) => find(id), Users)
export const getIgnoring = cacheAside(Users, { ignore: ["trace"] })(({ id }: Id & { readonly trace: string }) => find(id))
export const getStrict = cacheAside(Strict)(({ id }: Id & { readonly page?: number }) => Effect.option(find(id)))
export const getInline = cacheAside(inline)((a: string, b: number) => find(a + b))
export const getEffect = cacheAside({ key: "all", schema: Schema.Array(User) })(Effect.succeed([]))
export const getPiped = find("1").pipe(cacheAside({ key: "one", schema: User }))
export const search = cacheAside(Searches)((query: { readonly tenant: string; readonly kind?: string }) => Effect.succeed([new User({ id: "", name: "", tenant: query.tenant })]))
export const protect = stampedeProtect(Users, { lockTtl: "1 minute", onTimeout: "fail" })
export const getProtected = protect(({ id }: Id) => find(id))
export const memoByName = memoize({ name: "area" })((a: number, b: number) => Effect.succeed(a * b))
export const wrapMemo = memoize({ name: "area", schema: Schema.Number, arity: 2 })
export const memoByKey = memoize({ key: "m:{id}", schema: User })(({ id }: Id) => find(id))
export const memoEffect = memoize(Effect.succeed(1), { name: "one" })
export const memoFn = memoize({ name: "fn" })(Effect.fn("fn")(function*(id: string) { return yield* find(id) }))
export const generic = <A, I, E, R>(schema: Schema.Codec<A, I>, load: (id: string) => Effect.Effect<A, E, R>) => cacheAside({ key: "g:{id}", schema })(({ id }: Id) => load(id))

// what writes
export const wrapSave = writeThrough(Users, { invalidateTags: ({ value }) => [value.tenant] })
export const save = writeThrough(Users, { invalidateTags: ({ value, previous }) => [value.tenant, previous._tag] })(({ id }: Id & { readonly name: string }) => find(id))
export const wrapCreate = writeThrough(Users, { keyOf: (user) => ({ id: user.id }) })
export const create = wrapCreate((name: string) => find(name))
export const createFirst = writeThrough((name: string) => find(name), { ...Users, keyOf: (user) => ({ id: user.id }) })
export const wrapRemove = writeAround(Users, { invalidateTags: ({ params }) => [`${params.id}`] })
export const remove = wrapRemove(({ id }: Id) => Effect.asVoid(find(id)))
export const wrapMany = writeAround({ keys: (ids: ReadonlyArray<string>) => ids })
export const removeMany = wrapMany((ids: ReadonlyArray<string>) => Effect.succeed(ids.length))
export const removeEffect = writeAround(find("1"), { keys: ["a"] })

// what is asked by hand
export const invalidations = [invalidateTags(["a"]), tagCacheKey("a", ["b"]), getUser.clear, getUser.invalidate({ id: "1" })] as const
export const stats = getCacheStats
export const byHand = CacheClient.use((client) => client.get(Users, { id: "1" }))
export const found = Effect.map(getUser.peek({ id: "1" }), Option.isSome)
export const locked = LockManager.use((locks) => Effect.succeed(locks))

// services
export class UserCache extends Context.Service<UserCache>()("UserCache", {
  make: Effect.gen(function*() {
    const db = yield* Db
    const get = cacheAside(Users)(({ id }: Id) => db.find(id))
    const create = writeThrough(Users, { keyOf: (user) => ({ id: user.id }) })((name: string) => db.find(name))
    const remove = writeAround({ keys: ({ id }: Id) => [get.key({ id })] })(({ id }: Id) => Effect.asVoid(db.find(id)))
    return { get, create, remove, clear: get.clear, all: cacheAside({ key: "all", schema: User })(db.find("1")) }
  })
}) {
  static readonly layer = Layer.effect(this, this.make)
}
export class Repository { readonly get = cacheAside(Users)(({ id }: Id) => find(id)); readonly save = writeThrough(Users)(({ id }: Id) => find(id)) }
export const makeRepository = () => ({ get: getUser, wrapUser, save, region: Users })

// layers, configuration and tests
export const memory = CacheMemory.layer({ maxEntries: 10 })
export const redis = CacheRedis.layer({ url: "redis://localhost" })
export const layers = { memory, redis, fallback: CacheFallback.layer({ primary: redis, fallback: memory }), live: CacheLive, none: CacheNone.layer, config: CacheConfig.layer({ defaultTtl: "1 minute" }), test: CacheTest.layer }

// HTTP
export const cached = cachedResponse("users", { ttl: "1 minute" })
export const endpoint = HttpApiEndpoint.get("one", "/users/:id", { params: { id: Schema.String }, success: User })
export const Api = HttpApi.make("api").add(HttpApiGroup.make("users").add(cachedEndpoint(endpoint, { ttl: "1 minute", tags: ({ params }) => [params.id] })).middleware(HttpCache))
export { CachePolicy, HttpApiSchema }
