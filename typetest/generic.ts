// biome-ignore-all format: one example a line
/** Helpers that are generic, in schemas, services and arguments: what they make can be called in them, and has the type they declare. */
import type { Effect, Schema } from "effect"
import { cacheAside, CacheClient, type CacheError, CacheRegion, memoize, type OnCacheError, stampedeProtect, writeAround, writeThrough } from "../src/index.ts"

type P = { readonly id: string }
export const a1 = <A, I, R>(schema: Schema.Codec<A, I, R, R>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return cacheAside(region)(({ id }: P) => load(id))
}
export const a1c = <A, I, R>(schema: Schema.Codec<A, I, R, R>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  const c: Effect.Effect<void, CacheError, CacheClient> = region.clear
  const k: string = region.keyFor({ id: "" })
  const s: "x:{id}" = region.key
  const i: Effect.Effect<void, CacheError, CacheClient> = region.invalidate({ id: "" })
  return { c, k, s, i, g: CacheClient.use((cc) => cc.get(region, { id: "" })) }
}
export const a2 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return cacheAside(region)(({ id }: P) => load(id))
}
export const a2c = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  const c: Effect.Effect<void, CacheError, CacheClient> = region.clear
  const k: string = region.keyFor({ id: "" })
  const s: "x:{id}" = region.key
  return { c, k, s, g: CacheClient.use((cc) => cc.get(region, { id: "" })) }
}
export const a3 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) =>
  cacheAside({ key: "x:{id}", schema })(({ id }: P) => load(id))
export const a4 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) =>
  writeThrough({ key: "x:{id}", schema })(({ id }: P) => load(id))
export const a5 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return [writeThrough(region)(({ id }: P) => load(id)), 1] as const
}
export const a6 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return [writeAround(region)(({ id }: P) => load(id)), 1] as const
}
export const a7 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return cacheAside(({ id }: P) => load(id), region)
}
export const a8 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x", schema })
  return cacheAside(region)(load)
}
export const a9 = <A, I, RD, RE>(schema: Schema.Codec<A, I, RD, RE>, load: Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x", schema })
  return stampedeProtect(region, { lockTtl: "1 minute" })(load)
}
export const b1 = <A, I, RD>(schema: Schema.Codec<A, I, RD>, load: (id: string) => Effect.Effect<A>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  return cacheAside(region)(({ id }: P) => load(id))
}
export const b2 = <K extends string, A, I>(key: K, schema: Schema.Codec<A, I>) => {
  const region = CacheRegion.make({ key, schema })
  const c: Effect.Effect<void, CacheError, CacheClient> = region.clear
  const k: K = region.key
  return { c, k }
}
export const b3 = <A, I, RD, RE, E, R>(schema: Schema.Codec<A, I, RD, RE>, load: (id: string) => Effect.Effect<A, E, R>) =>
  memoize({ key: "a:{0}", schema })(load)
export const b4 = <A, I, E, R>(schema: Schema.Codec<A, I>, load: (id: string) => Effect.Effect<A, E, R>) => {
  const region = CacheRegion.make({ key: "x:{id}", schema })
  const get = cacheAside(region)(({ id }: P) => load(id))
  const v: Effect.Effect<A, E, R | CacheClient> = get({ id: "" })
  const w = stampedeProtect(region, { onTimeout: "fail" })(({ id }: P) => load(id))
  const x: Effect.Effect<A, E | CacheError, R | CacheClient> = w({ id: "" })
  const y: Effect.Effect<A, E, R | CacheClient> = writeThrough(region)(({ id }: P) => load(id))({ id: "" })
  const z: Effect.Effect<A, E, R | CacheClient> = writeAround(region)(({ id }: P) => load(id))({ id: "" })
  return { v, x, y, z }
}
export const b5 = <A, I, F extends OnCacheError>(schema: Schema.Codec<A, I>, load: (id: string) => Effect.Effect<A>, onCacheError: F) => {
  const region = CacheRegion.make({ key: "x:{id}", schema, onCacheError })
  const c: Effect.Effect<void, CacheError, CacheClient> = region.clear
  return [c, cacheAside(region)(({ id }: P) => load(id))] as const
}
export const b6 = <A, I, F extends OnCacheError>(schema: Schema.Codec<A, I>, load: (id: string) => Effect.Effect<A>, onCacheError: F) =>
  cacheAside({ key: "x:{id}", schema, onCacheError })(({ id }: P) => load(id))

type F<Args extends ReadonlyArray<unknown>, A, E, R> = (...args: Args) => Effect.Effect<A, E, R>
type Out<Args extends ReadonlyArray<unknown>, A, E, R> = (...args: Args) => Effect.Effect<A, E, R | CacheClient>
export const v1 = <Args extends ReadonlyArray<unknown>, A, E, R>(f: F<Args, A, E, R>): Out<Args, A, E, R> => memoize({ name: "x", arity: 1 })(f)
export const v2 = <Args extends ReadonlyArray<unknown>, A, E, R>(f: F<Args, A, E, R>): Out<Args, A, E, R> => memoize(f, { name: "x", arity: 1 })
export const v3 = <Args extends ReadonlyArray<unknown>, A, E, R>(f: F<Args, A, E, R>): Out<Args, A, E, R> => writeAround({ keys: ["a"] })(f)
export const v4 = <Args extends ReadonlyArray<unknown>, A, E, R>(f: F<Args, A, E, R>): Out<Args, A, E, R> => writeAround(f, { keys: ["a"] })
export const v5 = <A, I, Args extends ReadonlyArray<unknown>, E, R>(schema: Schema.Codec<A, I>, f: F<Args, A, E, R>): Out<Args, A, E, R> => memoize({ name: "x", arity: 1, schema })(f)
export const v6 = <A, I, Args extends ReadonlyArray<unknown>, E, R>(schema: Schema.Codec<A, I>, f: F<Args, A, E, R>): Out<Args, A, E, R> => writeThrough({ key: "x:{id}", schema, keyOf: (_: A) => ({ id: "" }) })(f)
export const v8 = <A, I, E, R>(schema: Schema.Codec<A, I>, f: F<[string], A, E, R>): Out<[string], A, E, R> => cacheAside({ key: "x:{0}", schema })(f)
export const v9 = <A, I, E, R>(schema: Schema.Codec<A, I>, f: F<[string], A, E, R>): Out<[string], A, E, R> => stampedeProtect({ key: "x:{0}", schema })(f)
export const v10 = <A, I, E, R>(schema: Schema.Codec<A, I>, f: F<[string], A, E, R>): Out<[string], A, E, R> => writeThrough({ key: "x:{0}", schema })(f)
export const v11 = <A, I, E, R>(schema: Schema.Codec<A, I>, f: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | CacheClient> => cacheAside({ key: "x", schema })(f)
