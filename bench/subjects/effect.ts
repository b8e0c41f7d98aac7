/**
 * Effect's own caches, and the least that one made of its parts does.
 */
import type { Make, Setup } from "../lib/setup.ts"
import { NodeRedis } from "@effect/platform-node"
import { Cache, Context, Duration, Effect, Fiber, Layer, ManagedRuntime } from "effect"
import { Persistable, PersistedCache, Persistence } from "effect/persistence"
import { Redis } from "ioredis"
import { idsOf, Item } from "../lib/items.ts"

const ttl = () => Duration.minutes(10)

const inProcess: Make = async ({ entries, loader }) => {
  const cache = await Effect.runPromise(
    Cache.makeWith((key: string) => Effect.sync(() => loader.load(key.slice("item:".length))), {
      capacity: entries * 2,
      timeToLive: ttl
    })
  )
  return { effect: (id) => Cache.get(cache, `item:${id}`), run: Effect.runPromise as any }
}

// As the module's documentation has it: a class of requests with a primary key and a schema.
class GetItem extends Persistable.Class<{ payload: { id: string } }>()("GetItem", {
  primaryKey: ({ id }) => id,
  success: Item
}) {}

class Items extends Context.Service<Items, PersistedCache.PersistedCache<GetItem>>()("bench/Items") {}

/** Its layer in memory keeps nothing, so that every read is one from Redis, as in all others. */
const persisted: Make = async ({ loader, prefix, url }: Setup) => {
  const layer = Layer.effect(
    Items,
    PersistedCache.make((request: GetItem) => Effect.promise(() => loader.loadAsync(request.id)), {
      storeId: prefix,
      timeToLive: ttl,
      inMemoryTTL: () => Duration.zero
    })
  ).pipe(Layer.provide(Persistence.layerRedis), Layer.provide(NodeRedis.layer({ url })))
  const runtime = ManagedRuntime.make(layer)
  const items = Context.get(await runtime.context(), Items)
  return {
    effect: (id) => items.get(new GetItem({ id })),
    run: (effect) => runtime.runPromise(effect),
    close: () => runtime.dispose()
  }
}

const expires = Date.now() + Duration.toMillis(ttl())

/** A key, a look-up and a TTL; no loads shared, nothing evicted, counted or traced. */
const overMap: Make = async ({ entries, loader }) => {
  const map = new Map(idsOf(entries).map((id) => [`item:${id}`, { value: loader.load(id), expires }]))
  const get = (id: string): Effect.Effect<unknown> =>
    Effect.suspend(() => {
      const found = map.get(`item:${id}`)
      return found !== undefined && found.expires > Date.now() ? Effect.succeed(found.value) : Effect.die("not there")
    })
  return { effect: get, run: Effect.runPromise as any }
}

/** Loads in fibers of their own, as loads must be that callers share; the oldest goes when there is no room. */
const overFibers: Make = async ({ entries, loader }) => {
  const map = new Map<string, { readonly value: unknown; readonly expires: number }>()
  const keys = new Array<string>(entries * 2).fill("")
  let at = 0
  const keep = (key: string, value: unknown) => {
    map.delete(keys[at]!)
    keys[at] = key
    at = (at + 1) % keys.length
    map.set(key, { value, expires })
    return value
  }
  const get = (id: string): Effect.Effect<unknown> =>
    Effect.suspend(() => {
      const key = `item:${id}`
      const found = map.get(key)
      if (found !== undefined && found.expires > Date.now()) return Effect.succeed(found.value)
      const load = Effect.forkDetach(Effect.sync(() => loader.load(id)))
      return Effect.flatMap(load, (fiber) => Effect.map(Fiber.join(fiber), (value) => keep(key, value)))
    })
  return { effect: get, run: Effect.runPromise as any }
}

/** The reads of a turn as one `MGET`, and JSON.parse; no header, no schema, no deadline, and a failure is a defect. */
const overMget: Make = async ({ loader, prefix, url }) => {
  const client = new Redis(url)
  let waiting: Array<readonly [key: string, resume: (effect: Effect.Effect<unknown>) => void]> = []
  const send = () => {
    const reads = waiting
    waiting = []
    client.mget(
      reads.map(([key]) => key),
      (error, texts) => {
        reads.forEach(([, resume], i) => {
          const text = texts?.[i]
          resume(typeof text === "string" ? Effect.succeed(JSON.parse(text)) : Effect.die(error ?? "not there"))
        })
      }
    )
  }
  const read = (key: string) =>
    Effect.callback<unknown>((resume) => {
      if (waiting.push([key, resume]) === 1) setImmediate(send)
    })
  const known = new Set<string>()
  return {
    effect: (id) => {
      const key = `${prefix}:item:${id}`
      if (known.has(id)) return read(key)
      return Effect.promise(async () => {
        const item = await loader.loadAsync(id)
        await client.set(key, JSON.stringify(item), "PX", Duration.toMillis(ttl()))
        known.add(id)
        return item
      })
    },
    run: Effect.runPromise as any,
    close: async () => void (await client.quit())
  }
}

export const memory = {
  "effect Cache": inProcess,
  "Effect over Map.get": overMap,
  "Effect, load in a fiber": overFibers
}
export const redis = { "effect PersistedCache": persisted, "Effect over MGET": overMget }
