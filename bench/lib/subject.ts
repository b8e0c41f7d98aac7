/**
 * What is measured: each subject is a module that makes readers over memory, over Redis, or both.
 */
import type { Reader } from "./drive.ts"
import type { Setup, SubjectModule } from "./setup.ts"

const own = {
  ours: () => import("../subjects/ours.ts"),
  effect: () => import("../subjects/effect.ts"),
  floors: () => import("../subjects/floors.ts"),
  driver: () => import("../subjects/ioredis.ts")
}

// The peers are not installed with the library, so their modules are found by name when they are asked for.
const peer = (name: string) => (): Promise<SubjectModule> =>
  import(new URL(`../peers/${name}.ts`, import.meta.url).href)

/** The caches beside ours that keep values in memory. */
export const cachesInMemory: ReadonlyArray<string> = [
  "effect Cache",
  "async-cache-dedupe",
  "cache-manager",
  "cachified",
  "keyv",
  "cacheable",
  "bentocache"
]

const modules: Readonly<Record<string, () => Promise<SubjectModule>>> = {
  "effect-cache": own.ours,
  "effect-cache, runPromise": own.ours,
  "effect-cache, one by one": own.ours,
  "effect Cache": own.effect,
  "Effect over Map.get": own.effect,
  "Effect over MGET": own.effect,
  "Effect, load in a fiber": own.effect,
  "effect PersistedCache": own.effect,
  "Map.get": own.floors,
  "async over Map.get": own.floors,
  "async over Map.get, key built": own.floors,
  "raw socket": own.floors,
  "plain SET": own.floors,
  "values alone": own.floors,
  "lru-cache.get": peer("lru-cache"),
  "lru-cache.fetch": peer("lru-cache"),
  "lru-cache get, await, set": peer("lru-cache"),
  "lru-cache, max, maxSize, ttl": peer("lru-cache"),
  "async-cache-dedupe": peer("async-cache-dedupe"),
  bentocache: peer("bentocache"),
  cacheable: peer("cacheable"),
  "cache-manager": peer("cache-manager"),
  cachified: peer("cachified"),
  keyv: peer("keyv"),
  "ioredis 6, auto-pipelining": own.driver,
  "ioredis 6": own.driver,
  "ioredis 5, auto-pipelining": peer("ioredis"),
  "ioredis 5": peer("ioredis"),
  "node-redis": peer("node-redis")
}

/** Whether a subject needs `bench/peers` to be installed. */
export const isPeer = (subject: string): boolean => {
  const module = modules[subject]
  return module !== undefined && !Object.values(own).includes(module as any)
}

export const makeReader = async (store: "memory" | "redis", subject: string, setup: Setup): Promise<Reader> => {
  const make = (await modules[subject]?.())?.[store]?.[subject]
  if (make === undefined) throw new Error(`no subject "${subject}" over ${store}`)
  return make(setup)
}
