/**
 * The primitives of the Redis layer over its connections, closed with the scope.
 */
import { Context, Effect, Random, type Scope } from "effect"
import type { Redis } from "ioredis"
import type { CacheError } from "../../CacheError.ts"
import { invalidOptionAs } from "../../internal/invalidOption.ts"
import { nodeCompressor } from "../../platform/nodeCompressor.ts"
import type { CacheBackend } from "../../services/CacheBackend.ts"
import type { LockStore } from "../../services/LockManager.ts"
import type { TagIndex } from "../../services/TagIndex.ts"
import { makeBackend } from "./backend.ts"
import { Commands, makeNames } from "./commands.ts"
import { loadDriver } from "./driver.ts"
import { makeReplicated, notReplicated } from "./durable.ts"
import { Hints } from "./hints.ts"
import { makeLockStore } from "./lockStore.ts"
import { Cluster } from "./nodes/cluster.ts"
import { type Nodes, Single } from "./nodes/nodes.ts"
import { type RedisOptions, type ResolvedOptions, resolve } from "./options/options.ts"
import { makeTagIndex } from "./tagIndex.ts"
import { Connection } from "./wire/connection.ts"
import { databaseOf } from "./wire/handshake.ts"
import { sendsLate } from "./wire/job.ts"
import { duplicated, makeClient } from "./wire/redisClient.ts"
import type { Turn } from "./wire/wire.ts"

export interface RedisPrimitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  readonly locks: LockStore
}

/**
 * Connections to what the options name, or by a client that there is: one that was brought along is not `owned`. Exported
 * for the tests that look at connections without the cache above them.
 */
export const openNodes = (
  options: ResolvedOptions,
  context: Context.Context<never>,
  client: Redis | undefined,
  owned = client === undefined,
  othersReport?: () => boolean
): Nodes => {
  const generator = Context.get(context, Random.Random)
  const random = () => generator.nextDoubleUnsafe()
  if (options.target.mode === "cluster")
    return new Cluster(options, options.target.seeds, context, random, othersReport)
  const turn: Turn = { count: 0 }
  const { connectTimeoutMillis, pingMillis, timeoutMillis } = options
  const connection = new Connection(
    {
      client: client ?? makeClient(options, random),
      owned,
      timeoutMillis,
      connectTimeoutMillis,
      pingMillis,
      turn,
      primaryOnly: true,
      // Where its duplicate for writes that wait for replicas is.
      database: owned || options.durability === undefined ? undefined : databaseOf(client!),
      othersReport
    },
    context
  )
  return new Single(connection, turn)
}

/** Connections for writes that wait for replicas, which may take longer: behind another wait, and then for their own. */
const openDurable = (
  options: ResolvedOptions,
  waitMillis: number,
  context: Context.Context<never>,
  others: Nodes
): Nodes => {
  const { client, name, timeoutMillis } = options
  const settings = { ...options, name: `${name}:durable`, timeoutMillis: timeoutMillis + 2 * waitMillis }
  return openNodes(
    settings,
    context,
    client?.duplicate({ ...duplicated, db: databaseOf(client), enableOfflineQueue: false, enableReadyCheck: true }),
    true,
    () => others.primaries().some(({ ready }) => !ready)
  )
}

/**
 * Opens connections and gives the primitives over them. Fails only for options that cannot be used (`InvalidOption`), and
 * where ioredis is not installed (`Unavailable`): with Redis out of reach the primitives are there, and fail until it is back.
 */
export const makeRedisPrimitives = (
  options: RedisOptions = {}
): Effect.Effect<RedisPrimitives, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const resolved = yield* resolve(options)
    yield* loadDriver
    if (resolved.client !== undefined && sendsLate(resolved.client)) {
      return yield* Effect.fail(
        invalidOptionAs(
          "client",
          "a client that may send a command after its caller was told that it failed",
          "one with enableOfflineQueue and autoResendUnfulfilledCommands false: this version of ioredis takes no command back"
        )
      )
    }
    const context = yield* Effect.context<never>()
    const { durability } = resolved
    const { durable, hints, nodes } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const nodes = openNodes(resolved, context, resolved.client)
        return {
          nodes,
          durable: durability === undefined ? nodes : openDurable(resolved, durability.timeoutMillis, context, nodes),
          hints: new Hints(nodes, resolved.pingMillis)
        }
      }),
      ({ durable, hints, nodes }) => {
        const all = new Set<{ readonly close: () => Promise<void> }>([hints, nodes, durable])
        return Effect.promise(() => Promise.all([...all].map((each) => each.close())))
      }
    )
    const commands = new Commands(nodes)
    const names = makeNames(resolved.namespace)
    const replicated = durability === undefined ? notReplicated(commands) : makeReplicated(durable, names, durability)
    const { clearing, service: tags } = makeTagIndex(commands, names, replicated)
    const threshold = resolved.compressionThreshold
    return {
      backend: makeBackend(commands, names, hints, {
        compressor: threshold === false ? undefined : nodeCompressor({ threshold }),
        // Each of up to three steps may be held up by somebody else's wait; then comes its own.
        replicationMillis: 4 * (durability?.timeoutMillis ?? 0),
        isolation: resolved.isolation,
        replicated,
        clearing
      }),
      tags,
      locks: makeLockStore(commands, names)
    }
  })
