/**
 * A Redis at its `maxmemory`, under every eviction policy, while another application fills it with keys that have no end: no
 * caller fails, what was stored and not evicted is found, every invalidation is acknowledged and holds, and nobody takes it for
 * an outage.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Layer, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheMemory,
  type CacheServices,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  LockManager,
  stampedeProtect,
  tagCacheKey,
  writeThrough
} from "../../src/index.ts"
import { CacheFallback } from "../../src/layers/CacheFallback.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, freshNamespace, sharedRedis } from "../support/client.ts"
import { captureLogs } from "../stores/redis/support.ts"

const sharedServer = sharedRedis({ args: ["--maxmemory", "4mb"] })

const fill = `
for i = 1, 6000 do
  local set = redis.pcall("SET", "other:" .. i, string.rep("x", 1000))
  if set.err then return i end
end
return 6000`

const region = { key: "row:{id}", schema: Schema.Number, ttl: "1 hour", tags: ["all"] } as const
type Id = { readonly id: string }

/** One process: rows that count their changes, and what reads and writes them. */
const makeProcess = (rows: Map<string, number>) => {
  const counts = { loads: 0 }
  const load = ({ id }: Id) =>
    Effect.sync(() => {
      counts.loads++
      return rows.get(id) ?? 0
    })
  const change = (id: string) => {
    rows.set(id, (rows.get(id) ?? 0) + 1)
    return rows.get(id)!
  }
  return {
    counts,
    change,
    get: cacheAside(region)(load),
    one: stampedeProtect(region)(load),
    write: writeThrough(region)(({ id }: Id) => Effect.sync(() => change(id)))
  }
}

const noeviction = "noeviction"
const policies = [
  noeviction,
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl"
]

/** Those under which it is full for good. */
const withFallback = new Set([noeviction, "volatile-ttl"])

const layers = {
  CacheRedis: (url: string, namespace: string) => CacheRedis.layer({ url, namespace }),
  CacheFallback: (url: string, namespace: string) =>
    CacheFallback.layer({ primary: CacheRedis.layer({ url, namespace }), fallback: CacheMemory.layer() })
}

const world = (policy: string, layerOf: keyof typeof layers) =>
  Effect.gen(function*() {
    const server = yield* sharedServer
    const admin = yield* adminOf(server)
    yield* Effect.promise(() => admin.flushall())
    yield* Effect.promise(() => admin.config("SET", "maxmemory-policy", policy))
    const { layer, lines } = captureLogs()
    const open = Effect.map(
      Layer.build(Layer.fresh(layers[layerOf](server.url, freshNamespace()))).pipe(Effect.provide(layer)),
      (context: Context.Context<CacheServices>) =>
        <A, E>(effect: Effect.Effect<A, E, CacheServices>) =>
          Effect.provideContext(effect, context).pipe(Effect.provide(layer))
    )
    return {
      admin,
      lines,
      open,
      fill: Effect.promise(() => admin.eval(fill, 0)),
      /** What the server refuses now. */
      isFull: Effect.promise(async () => {
        try {
          await admin.set("probe", "x".repeat(1000))
          return false
        } catch {
          return true
        }
      })
    }
  })

const warnings = (lines: ReadonlyArray<string>) => lines.filter((line) => /^(Warn|Error|Fatal)/.test(line))

describe("a full Redis", () => {
  for (const policy of policies) {
    for (const layer of withFallback.has(policy)
      ? (["CacheRedis", "CacheFallback"] as const)
      : (["CacheRedis"] as const)) {
      it.live(
        `${policy}, ${layer}`,
        () =>
          Effect.scoped(
            Effect.gen(function*() {
              const { fill, lines, open } = yield* world(policy, layer)
              const rows = new Map<string, number>()
              const { change, counts, get, one, write } = makeProcess(rows)
              const run = yield* open
              const ids = Array.from({ length: 20 }, (_, i) => String(i))
              const readAll = run(
                Effect.forEach(ids, (id) =>
                  Effect.map(id === "0" ? one({ id }) : get({ id }), (row) =>
                    assert.strictEqual(row, rows.get(id) ?? 0)
                  )
                )
              )
              yield* readAll
              yield* fill
              // Also when some, or all, were evicted to make room.
              yield* readAll
              for (const invalidate of [
                invalidateTags(["all"]),
                Effect.forEach(ids, (id) => invalidateKey(`row:${id}`), { discard: true }),
                invalidatePattern("row:*"),
                CacheClient.use((client) => client.clear)
              ]) {
                for (const id of ids) change(id)
                yield* run(invalidate)
                yield* readAll
                yield* readAll
              }
              assert.strictEqual(yield* run(write({ id: "1" })), rows.get("1"))
              yield* readAll
              const settled = CacheClient.use((client) =>
                client.set("row:2", change("2"), { schema: Schema.Number, ttl: "1 hour", tags: ["all"] })
              )
              yield* run(settled)
              const found = yield* run(CacheClient.use((client) => client.get("row:2", Schema.Number)))
              assert.isTrue(Option.isNone(found) || found.value === rows.get("2"))
              yield* run(invalidateKey("row:2"))
              // Redis was asked to the end: nothing was counted as an outage.
              const { regions } = yield* run(CacheClient.use((client) => client.stats))
              for (const { errors } of regions)
                assert.deepStrictEqual(
                  Object.keys(errors).filter((tag) => tag !== "NoRoom"),
                  []
                )
              const said = warnings(lines)
              assert.isAtMost(said.length, 1, said.join("\n"))
              for (const line of said) assert.match(line, /is full/)
              assert.deepStrictEqual(
                lines.filter((line) => /is away|is back|unavailable/.test(line)),
                []
              )
              assert.isAbove(counts.loads, 0)
            })
          ),
        30_000
      )
    }
  }

  it.live(
    "with noeviction: what is there is found, what is not is loaded and not stored, until there is room",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { admin, fill, isFull, lines, open } = yield* world(noeviction, "CacheRedis")
          const rows = new Map<string, number>()
          const { change, counts, get, one, write } = makeProcess(rows)
          const run = yield* open
          yield* run(get({ id: "old" }))
          yield* fill
          assert.isTrue(yield* isFull)
          counts.loads = 0
          // More of them than failures that end the trust.
          for (let i = 0; i < 10; i++) yield* run(get({ id: "new" }))
          for (let i = 0; i < 10; i++) yield* run(one({ id: "new" }))
          assert.strictEqual(counts.loads, 20)
          yield* run(get({ id: "old" }))
          assert.strictEqual(counts.loads, 20)
          // Callers at one moment share the load.
          yield* run(
            Effect.all(
              Array.from({ length: 50 }, () => one({ id: "crowd" })),
              { concurrency: "unbounded" }
            )
          )
          assert.strictEqual(counts.loads, 21)
          const { regions } = yield* run(CacheClient.use((client) => client.stats))
          assert.deepStrictEqual(
            regions.map(({ errors }) => errors),
            [{ NoRoom: 21 }]
          )
          assert.strictEqual(warnings(lines).length, 1)

          // A write empties the slot, and a set too.
          yield* run(write({ id: "old" }))
          yield* run(get({ id: "old" }))
          assert.strictEqual(counts.loads, 22)

          // Also where failures of the cache are to be heard of: that nothing is kept is none.
          const strict = { ...region, onCacheError: "fail" } as const
          assert.strictEqual(yield* run(cacheAside(strict)(({ id }: Id) => Effect.succeed(Number(id)))({ id: "7" })), 7)
          assert.strictEqual(
            yield* run(writeThrough(strict)(({ id }: Id) => Effect.succeed(Number(id)))({ id: "7" })),
            7
          )

          // What stores, and nothing else, fails with a reason of its own.
          const reasonOf = <A, E extends { readonly reason: { readonly _tag: string } }>(
            effect: Effect.Effect<A, E, CacheServices>
          ) => Effect.map(Effect.flip(run(effect)), ({ reason }) => reason._tag)
          const locked = LockManager.use((locks) => locks.withLock("job")(Effect.void))
          assert.strictEqual(yield* reasonOf(locked), "NoRoom")

          yield* Effect.promise(() => admin.flushdb())
          yield* run(get({ id: "new" }))
          const { loads } = counts
          yield* run(get({ id: "new" }))
          assert.strictEqual(counts.loads, loads)
          yield* fill
          assert.strictEqual(yield* reasonOf(tagCacheKey("row:new", ["more"])), "NoRoom")
          change("new")
          yield* run(invalidateTags(["all"]))
          assert.strictEqual(yield* run(get({ id: "new" })), 1)
        })
      ),
    30_000
  )
})
