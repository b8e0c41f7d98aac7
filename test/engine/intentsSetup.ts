/**
 * What the tests of intents share: a store, clients of it that tell what they invalidate, and writers that died.
 */
import { Effect } from "effect"
import type { Redis } from "ioredis"
import { CacheError, NoRoom } from "../../src/CacheError.ts"
import { escapeKey } from "../../src/CacheKey.ts"
import { makeIntents } from "../../src/engine/intents.ts"
import type { CacheBackend, Intent, Intents } from "../../src/services/CacheBackend.ts"
import { eventually, openStore } from "../stores/redis/support.ts"
import type { RunningRedis } from "../support/redisServer.ts"

export const every = 10_000

export const intentOf = (name: string): Intent => ({ keys: [`${name}:key`], patterns: [`${name}:*`], tags: [name] })

export const refusal = (reason: CacheError["reason"]) => Effect.fail(new CacheError({ reason }))
export const noRoom = refusal(new NoRoom({ backend: "redis", operation: "intents", cause: new Error("full") }))

/** A store with some of its primitives of intents changed. */
export const withIntents = (backend: CacheBackend["Service"], change: (right: Intents) => Partial<Intents>) => ({
  ...backend,
  intents: { ...backend.intents!, ...change(backend.intents!) }
})

/** Whether there are any beside the key. */
export const besideIn = ({ client, namespace }: { readonly client: Redis; readonly namespace: string }, key: string) =>
  Effect.promise(async () => (await client.exists(`${namespace}:i:{${escapeKey(key)}}`)) === 1)

export const setupOf = Effect.fnUntraced(function*(server: Effect.Effect<RunningRedis>) {
  const store = yield* Effect.flatMap(server, openStore)
  const { backend } = store
  const intents = backend.intents!
  const seen: Array<string> = []
  const calls: Array<string> = []
  const hooks = { invalidate: (_: string): Effect.Effect<void, CacheError> => Effect.void }
  const tell = (what: string, names: Iterable<string>) =>
    Effect.suspend(() => {
      const list = [...names]
      if (list.length === 0) return Effect.void
      return Effect.tap(hooks.invalidate(list.join()), () =>
        Effect.sync(() => {
          calls.push(what)
          for (const name of list) seen.push(`${what} ${name}`)
        })
      )
    })
  const client = (changed: CacheBackend["Service"] = backend, sweepMillis: number | undefined = undefined) =>
    makeIntents({
      backend: changed,
      sweepMillis,
      invalidateKeys: (keys) => tell("keys", keys),
      invalidatePattern: (pattern) => tell("pattern", [pattern]),
      invalidateTags: (tags) => tell("tags", tags)
    })
  /** What a writer that died has left, and that it has ended. */
  const died = (key: string, token: string, intent = intentOf(token)) =>
    Effect.andThen(
      intents.put(key, token, intent, 1),
      eventually(Effect.map(intents.ended(key), (ended) => ended.some((one) => one.token === token)))
    )
  const standsBeside = (key: string) => besideIn(store, key)
  const gone = (key: string) => eventually(Effect.map(standsBeside(key), (stands) => !stands))
  const size = Effect.promise(() => store.client.zcard(`${store.namespace}:intents`))
  return { ...store, intents, seen, calls, hooks, client, died, gone, size, standsBeside }
})

export const allOf = (name: string) => [`tags ${name}`, `keys ${name}:key`, `pattern ${name}:*`]
