/**
 * One fault, seen by the callers of all patterns: before, during and after it, with the Redis layer alone and under a
 * fallback.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Layer, Option, References, Schema, Scope } from "effect"
import type { Redis } from "ioredis"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheFallback,
  CacheMemory,
  type CacheServices,
  getCacheStats,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  memoize,
  stampedeProtect,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys } from "./client.ts"
import { Faulty } from "./faulty.ts"
import { RedisServer, type RedisServerError, type RedisServerOptions, type RunningRedis } from "./redisServer.ts"

/** The deadline of every command, in milliseconds. */
export const deadline = 500
const loadMillis = 10
const ids = [0, 1, 2, 3, 4, 5]

/** What a fault is made with. */
export interface World {
  readonly server: RunningRedis
  readonly proxy: Faulty
  /** A connection past the proxy, opened before the fault. */
  readonly admin: Redis
}

export interface Fault {
  readonly name: string
  readonly server?: RedisServerOptions | undefined
  /** `user:password` for the clients. */
  readonly credentials?: string | undefined
  /** Before the clients are built. */
  readonly prepare?: ((world: World) => Effect.Effect<void, RedisServerError, Scope.Scope>) | undefined
  readonly begin: (world: World) => Effect.Effect<void, RedisServerError, Scope.Scope>
  readonly end: (world: World) => Effect.Effect<void, RedisServerError>
  /** What becomes of invalidations meanwhile. With `"either"`, time or chance decides. */
  readonly invalidations: "fail" | "either"
  /** What errors of invalidations say: those of the fault. */
  readonly says: RegExp
}

/** How one client came through. */
interface Seen {
  callers: number
  readonly failed: Array<string>
  readonly stale: Array<string>
  longest: number
  loads: number
  acknowledged: number
  readonly refused: Array<string>
}

/** Without the lines that the layers log about outages: there would be hundreds. */
export const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** Until it is so; fails when it takes too long. */
export const until = <E>(what: () => string, check: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    for (let i = 0; !(yield* check); i++) {
      if (i === 1500) assert.fail(`in vain until ${what()}`)
      yield* Effect.sleep(20)
    }
  })

/** Until the client trusts Redis again: it reads there. Invalidations are acknowledged earlier, while it makes up for others. */
export const untilBack = (client: Client) =>
  until(
    () => "Redis is trusted again",
    Effect.map(
      Effect.exit(client.run(CacheClient.use((cache) => cache.get("nobody's", Schema.Number)))),
      Exit.isSuccess
    )
  )

/** A program over a table: every pattern, the rows behind it, and what its callers saw. */
const makeApp = (client: Client) => {
  const rows = ids.map(() => 0)
  const seen: Seen = { callers: 0, failed: [], stale: [], longest: 0, loads: 0, acknowledged: 0, refused: [] }
  type Id = { readonly id: number }
  const load = ({ id }: Id) =>
    Effect.suspend(() => {
      seen.loads++
      return Effect.as(Effect.sleep(loadMillis), rows[id]!)
    })
  const settings = { schema: Schema.Number, ttl: "10 minutes", tags: ["rows"] } as const
  const aside = cacheAside({ key: "aside:{id}", ...settings })(load)
  const stampede = stampedeProtect({ key: "stampede:{id}", ...settings })(load)
  const memo = memoize({ key: "memo:{id}", ...settings })(load)
  const put = writeThrough({ key: "aside:{id}", ...settings })(({ id }: Id) => Effect.sync(() => ++rows[id]!))
  const reads = { aside, stampede, memo }
  type Kind = keyof typeof reads
  const kinds = Object.keys(reads) as ReadonlyArray<Kind>
  /** What a read that starts now must not be older than: the row of the last invalidation, acknowledged or not. */
  const floors = { aside: [...rows], stampede: [...rows], memo: [...rows] }

  const call = (kind: Kind, id: number, effect: Effect.Effect<number, unknown, CacheServices>) =>
    Effect.suspend(() => {
      const floor = floors[kind][id]!
      const startedAt = performance.now()
      return Effect.map(Effect.exit(client.run(effect)), (exit) => {
        seen.callers++
        seen.longest = Math.max(seen.longest, performance.now() - startedAt)
        if (Exit.isFailure(exit)) seen.failed.push(`${kind} ${id}: ${String(exit.cause)}`)
        else if (exit.value < floor) seen.stale.push(`${kind} ${id}: ${exit.value} instead of ${floor}`)
        else return exit.value
        return -1
      })
    })
  const everybody = <A, E>(effects: ReadonlyArray<Effect.Effect<A, E>>) =>
    Effect.all(effects, { concurrency: "unbounded", discard: true })
  /** All rows by all reads, at once. */
  const round = everybody(ids.flatMap((id) => kinds.map((kind) => call(kind, id, reads[kind]({ id })))))
  const refreshes = everybody(ids.flatMap((id) => kinds.map((kind) => call(kind, id, reads[kind].refresh({ id })))))
  const writes = everybody(
    ids.map((id) =>
      Effect.map(call("aside", id, put({ id })), (row) => {
        floors.aside[id] = Math.max(floors.aside[id]!, row)
      })
    )
  )
  /** Changes rows, and says so. Whatever comes of it, this client must not see the old ones again. */
  const invalidate = (
    affected: ReadonlyArray<readonly [Kind, number]>,
    effect: Effect.Effect<void, CacheError, CacheServices>
  ) =>
    Effect.gen(function*() {
      for (const id of new Set(affected.map(([, id]) => id))) rows[id]!++
      const result = yield* Effect.result(client.run(effect))
      if (result._tag === "Success") seen.acknowledged++
      else {
        assert.instanceOf(result.failure, CacheError)
        seen.refused.push(result.failure.message)
      }
      for (const [kind, id] of affected) floors[kind][id] = rows[id]!
    })
  const all = (kind: Kind) => ids.map((id) => [kind, id] as const)
  const invalidations = Effect.gen(function*() {
    yield* invalidate([["aside", 0]], invalidateKey("aside:0"))
    yield* invalidate(
      [
        ["memo", 1],
        ["stampede", 1]
      ],
      invalidateKeys(["memo:1", "stampede:1"])
    )
    yield* invalidate(all("stampede"), invalidatePattern("stampede:*"))
    yield* invalidate(kinds.flatMap(all), invalidateTags(["rows"]))
  })
  return { client, reads, kinds, floors, seen, round, refreshes, writes, invalidations }
}

type App = ReturnType<typeof makeApp>

/** What of the cache's is left: leases, and connections under this name. */
const leftOf = (admin: Redis, namespace: string) =>
  Effect.promise(async () => ({
    leases: (await scanKeys(admin, `${namespace}:l:*`)).length,
    connections: [...String(await admin.client("LIST")).matchAll(new RegExp(` name=${namespace}(:\\w+)? `, "g"))].length
  }))

const duringIt = ({ invalidations, refreshes, round, writes }: App) =>
  Effect.gen(function*() {
    yield* round
    yield* invalidations
    yield* round
    yield* writes
    yield* refreshes
    yield* round
  })

const afterIt = (app: App, { admin, server }: World, namespace: string, credentials: string) =>
  Effect.gen(function*() {
    const { client, floors, kinds, reads, round, seen } = app
    yield* untilBack(client)
    // What was invalidated meanwhile is invalid for others as well: now, and not only when somebody reads.
    const other = yield* buildClient(
      CacheRedis.layer({ url: `redis://${credentials}127.0.0.1:${server.port}`, namespace, timeout: "10 seconds" })
    )
    for (const kind of kinds) {
      for (const id of ids) {
        const found = yield* other.run(reads[kind].peek({ id }))
        assert.isAtLeast(
          Option.getOrElse(found, () => floors[kind][id]!),
          floors[kind][id]!,
          `${kind} ${id}`
        )
      }
    }
    // All is as before: what is loaded is stored, where others find it, and not loaded again.
    yield* until(
      () => "all is as before",
      Effect.gen(function*() {
        yield* round
        const { loads } = seen
        yield* round
        if (seen.loads > loads) return false
        for (const kind of kinds) {
          for (const id of ids) {
            const found = Option.getOrElse(yield* other.run(reads[kind].peek({ id })), () => -1)
            if (found < floors[kind][id]!) return false
          }
        }
        return true
      })
    )
    yield* until(
      () => "no lease is left",
      Effect.map(leftOf(admin, namespace), ({ leases }) => leases === 0)
    )
    // One for commands, and one for hints.
    yield* until(
      () => "no connection is left over",
      Effect.map(leftOf(admin, namespace), ({ connections }) => connections <= 2)
    )
    assert.strictEqual((yield* client.run(getCacheStats)).inFlight, 0)
  })

/** Runs a fault with both layers, and gives a line of the table for each. */
export const runFault = (fault: Fault) =>
  Effect.gen(function*() {
    const server = yield* RedisServer.scoped(fault.server)
    const proxy = yield* Faulty.scoped(server.port)
    const admin = yield* adminOf(server)
    const world: World = { server, proxy, admin }
    yield* fault.prepare?.(world) ?? Effect.void
    const credentials = fault.credentials === undefined ? "" : `${fault.credentials}@`
    const clients = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(clients, Exit.void))
    const apps = yield* Effect.forEach([false, true], (wrapped) =>
      Effect.gen(function*() {
        const namespace = freshNamespace()
        const primary = CacheRedis.layer({
          url: `redis://${credentials}127.0.0.1:${proxy.port}`,
          namespace,
          name: namespace,
          timeout: deadline,
          connectTimeout: deadline
        })
        const layer = wrapped
          ? CacheFallback.layer({ primary, fallback: CacheMemory.layer(), timeout: deadline, retryAfter: "50 millis" })
          : primary
        // A lease that were left behind would block for longer than the test takes.
        const client = yield* Scope.provide(buildClient(Layer.orDie(layer), { lockTtl: "10 minutes" }), clients)
        return { ...makeApp(client), namespace, wrapped }
      })
    )
    const both = <E>(f: (app: (typeof apps)[number]) => Effect.Effect<void, E, Scope.Scope>) =>
      Effect.forEach(apps, f, { concurrency: "unbounded", discard: true })
    yield* both(({ round }) => round)
    yield* fault.begin(world)
    yield* both(duringIt)
    yield* fault.end(world)
    yield* both((app) => afterIt(app, world, app.namespace, credentials))
    yield* Scope.close(clients, Exit.void)
    yield* both(({ namespace }) =>
      until(
        () => "all connections are closed",
        Effect.map(leftOf(admin, namespace), ({ connections }) => connections === 0 && proxy.connections() === 0)
      )
    )
    return apps.map(({ seen, wrapped }) => {
      assert.deepStrictEqual([seen.failed, seen.stale], [[], []])
      if (fault.invalidations === "fail") assert.strictEqual(seen.acknowledged, 0)
      // After the first of them, Redis is left alone; and on a machine that has much to do, any command may be late.
      for (const error of seen.refused) assert.match(error, new RegExp(`${fault.says.source}|held off|TimedOut`))
      // A call may wait for several trips, one after the other, and each for its deadline.
      assert.isBelow(seen.longest, 20 * deadline)
      const waited = `${Math.round(seen.longest)} ms`
      return [fault.name, wrapped ? "fallback" : "alone", seen.callers, seen.failed.length, waited, seen.refused.length]
    })
  })

/** The table, for people. */
export const report = (title: string, lines: ReadonlyArray<ReadonlyArray<unknown>>): void => {
  const table = [["fault", "layer", "callers", "failed", "longest wait", "invalidations refused"], ...lines]
  const widths = table[0]!.map((_, i) => Math.max(...table.map((line) => String(line[i]).length)))
  const text = table.map((line) => line.map((cell, i) => String(cell).padEnd(widths[i]!)).join("  "))
  console.log([`${title}, with a deadline of ${deadline} ms and loads of ${loadMillis} ms:`, ...text].join("\n"))
}
