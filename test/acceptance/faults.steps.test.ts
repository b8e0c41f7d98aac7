/**
 * One command goes wrong, and each in its turn: of a call its first, its second, and so on to its last. It is refused by
 * the server, or the connection is cut in the middle of the reply, and nobody knows whether it was carried out.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheFallback,
  CacheMemory,
  type CacheServices,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  memoize,
  stampedeProtect,
  writeAround,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"
import { error, type Fate, Faulty, halfReply } from "../support/faulty.ts"
import { quietly, until, untilBack } from "../support/faultyRun.ts"

const server = sharedRedis()

const fates: ReadonlyArray<readonly [string, Fate]> = [
  ["refused", error("MISCONF Redis is configured to save RDB snapshots")],
  ["cut off", halfReply]
]

type Id = { readonly id: number }
const id = { id: 1 }

/** A row, and everything that is done with it. */
const makeTable = () => {
  const state = { version: 1 }
  const row = { key: "row:{id}", schema: Schema.Number, ttl: "10 minutes", tags: ["rows"] } as const
  const load = (_: Id) => Effect.sync(() => state.version)
  const change = (_: Id) => Effect.sync(() => ++state.version)
  const read = cacheAside(row)(load)
  const calls = {
    "cacheAside, a hit": read(id),
    "cacheAside, a miss": read(id),
    "stampedeProtect, a miss": stampedeProtect(row)(load)(id),
    "memoize, a miss": memoize(row)(load)(id),
    refresh: read.refresh(id),
    writeThrough: writeThrough(row)(change)(id),
    "writeThrough that asks for what it replaces": writeThrough(row, {
      invalidateOwnTags: true,
      invalidateKeys: () => ["other"]
    })(change)(id),
    "writeThrough of a created row": writeThrough(row, { keyOf: () => id, invalidateTags: ["other"] })(change)(id),
    writeAround: writeAround(row)(change)(id),
    "writeAround of keys": writeAround({ keys: ["row:0", "row:1", "row:2"] })(change)(id)
  }
  return { state, read, calls }
}
type Name = keyof ReturnType<typeof makeTable>["calls"]

const invalidations: Readonly<Record<string, Effect.Effect<void, CacheError, CacheServices>>> = {
  "by key": invalidateKey("row:1"),
  "by keys": invalidateKeys(["row:0", "row:1", "row:2"]),
  "by pattern": invalidatePattern("row:*"),
  "by tag": invalidateTags(["other", "rows"]),
  "of everything": CacheClient.use((cache) => cache.clear)
}

const setUp = Effect.gen(function*() {
  const running = yield* server
  const proxy = yield* Faulty.scoped(running.port)
  const admin = yield* adminOf(running)
  const namespace = freshNamespace()
  const redis = (port: number) =>
    CacheRedis.layer({ url: `redis://127.0.0.1:${port}`, namespace, timeout: "10 seconds" })
  const client = yield* buildClient(
    CacheFallback.layer({
      primary: redis(proxy.port),
      fallback: CacheMemory.layer(),
      timeout: "10 seconds",
      retryAfter: "10 millis"
    }),
    { lockTtl: "10 minutes" }
  )
  const other = yield* buildClient(redis(running.port))
  const { calls, read, state } = makeTable()
  /** What others find. */
  const found = Effect.map(other.run(read.peek(id)), Option.getOrUndefined)
  /** Runs it with its nth command at fault, and says whether there was one. */
  const withFault = <A, E>(n: number, fate: Fate, effect: Effect.Effect<A, E, CacheServices>) =>
    Effect.suspend(() => {
      let met = false
      proxy.rule(({ count }) => {
        if (count !== n) return undefined
        met = true
        return fate
      })
      return Effect.map(Effect.result(client.run(effect)), (result) => {
        proxy.rule(undefined)
        return { met, result }
      })
    })
  const settled = Effect.andThen(
    untilBack(client),
    until(
      () => "no lease is left",
      Effect.promise(async () => (await scanKeys(admin, `${namespace}:l:*`)).length === 0)
    )
  )
  /** As evictions would: the client does not hear of it. */
  const evict = Effect.promise(() => admin.del(`${namespace}:e:{row:1}`, `${namespace}:t:rows`))
  return { calls, client, evict, found, read, settled, state, withFault }
})

describe("each command at fault", { concurrent: true }, () => {
  for (const [what, fate] of fates) {
    for (const name of Object.keys(makeTable().calls) as ReadonlyArray<Name>) {
      it.live(`${name}: no caller fails when one is ${what}`, () =>
        Effect.gen(function*() {
          const { calls, client, evict, found, read, settled, state, withFault } = yield* setUp
          let n = 1
          for (; ; n++) {
            yield* client.run(read(id))
            if (name.endsWith("a miss")) yield* evict
            const { met, result } = yield* withFault(n, fate, calls[name])
            assert.deepStrictEqual(result._tag === "Success" && result.success, state.version)
            yield* settled
            assert.include([undefined, state.version], yield* found)
            if (!met) break
          }
          // A hit is one command.
          assert.isAbove(n, name === "cacheAside, a hit" ? 1 : 2)
        }).pipe(Effect.scoped, quietly)
      )
    }

    for (const [name, invalidate] of Object.entries(invalidations)) {
      it.live(`invalidation ${name}: fails when one is ${what}, and is made up for`, () =>
        Effect.gen(function*() {
          const { client, found, read, settled, state, withFault } = yield* setUp
          let n = 1
          for (; ; n++) {
            assert.strictEqual(yield* client.run(read(id)), state.version)
            // Others find it when its marker is confirmed, a moment later.
            yield* until(
              () => "others find it",
              Effect.map(found, (version) => version === state.version)
            )
            state.version++
            const { met, result } = yield* withFault(n, fate, invalidate)
            if (!met) {
              assert.strictEqual(result._tag, "Success")
              assert.isUndefined(yield* found)
              break
            }
            // An error of the server's is no success, whichever of the commands it was.
            assert.instanceOf(result._tag === "Failure" && result.failure, CacheError)
            assert.strictEqual(yield* client.run(read(id)), state.version)
            yield* settled
            assert.include([undefined, state.version], yield* found)
          }
          assert.isAbove(n, 1)
        }).pipe(Effect.scoped, quietly)
      )
    }
  }
})
