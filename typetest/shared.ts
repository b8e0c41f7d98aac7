// biome-ignore-all format: one line each, as in its neighbours
/** What the examples of `right.ts` and `mistakes.ts` speak of. */
import { Context, type Effect, Schema } from "effect"
import { type CacheClient, CacheKey, CacheRegion } from "../src/index.ts"

export class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String, tenantId: Schema.String }) {}
export class DbError extends Schema.TaggedError<DbError>()("DbError", {}) {}
export class Db extends Context.Service<Db, { readonly find: (id: string) => Effect.Effect<User, DbError> }>()("Db") {}
export const find = (id: string) => Db.use((db) => db.find(id))
export type Expect<A, E, R> = Effect.Effect<A, E, R | CacheClient>
export const Users = CacheRegion.make({ key: "user:{userId}", schema: User, ttl: "5 minutes", tags: (user, params) => ["user", `tenant:${user.tenantId}`, `id:${params.userId}`] })
export const Lists = CacheRegion.make({ key: "list:{tenant}:{cursor?}", schema: Schema.Array(User), ttl: (users, { cursor }) => users.length === 0 || cursor === undefined ? "1 minute" : 5000 })
export interface AbortSignalLike { readonly aborted?: boolean }
export class Query extends Schema.Class<Query>("Query")({ tenant: Schema.String, page: Schema.Number }) {}
export const UserId = Schema.String.pipe(Schema.brand("UserId"))
export declare const anyFn: any
export class Q2 extends Schema.Class<Q2>("Q2")({ tenant: Schema.String }) { shout() { return this.tenant.toUpperCase() } get loud() { return this.shout() } }
export const Strict = CacheRegion.make({ key: "s:{id}", schema: User, onCacheError: "fail" })
export interface Page<A> { readonly tenant: string; readonly after: A }
export declare const cond: boolean
export const plain = { key: "u:{id}", schema: User } as const
export declare function over(p: { readonly userId: string }): Effect.Effect<User>
export declare function over(p: { readonly userId: string; readonly page: number }): Effect.Effect<User>
export class Admin extends Schema.Class<Admin>("Admin")({ id: Schema.String, name: Schema.String, tenantId: Schema.String, level: Schema.Number }) {}
export declare const findAdmin: (id: string) => Effect.Effect<Admin, DbError, Db>
export interface Search { readonly tenant: string; readonly filter: { readonly kind: "a" | "b" }; readonly cursor?: string | undefined }
export const Searches = CacheRegion.make({ key: CacheKey.make("search:{tenant}:{kind}:{cursor?}", ({ cursor, filter, tenant }: Search) => ({ tenant, kind: filter.kind, cursor })), schema: User, ttl: (user, { cursor }) => user.id === "" || cursor === undefined ? "1 minute" : "5 minutes", tags: (_, { kind, tenant }) => [`kind:${kind}`, `tenant:${tenant}`] })
export const TwoArguments = CacheKey.make("page:{tenant}:{no}", (tenant: string, page: { readonly no: number }) => ({ tenant, no: page.no }))
