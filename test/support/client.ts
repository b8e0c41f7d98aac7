/**
 * Clients for tests that look at several of them: each built anew, used through the public API.
 */
import { Deferred, Effect, Layer, ManagedRuntime, Schema, type Scope } from "effect"
import { Redis } from "ioredis"
import { afterAll } from "vitest"
import {
  CacheClient,
  CacheConfig,
  type CacheError,
  CacheMemory,
  type CacheServices,
  type CacheSettingsOptions
} from "../../src/index.ts"
import { RedisServer, type RedisServerOptions, type RunningRedis } from "./redisServer.ts"

/** One client: a process of its own, as far as the cache can tell. */
export interface Client {
  readonly run: <A, E>(effect: Effect.Effect<A, E, CacheServices>) => Effect.Effect<A, E>
  /** Lets everything that is under way in this client go as far as it can without outside help. */
  readonly settle: Effect.Effect<void>
  readonly inFlight: Effect.Effect<number, CacheError>
}

const settleRound = CacheClient.use((client) => Effect.andThen(client.get("settle", Schema.String), Effect.yieldNow))

export const buildClient = <E>(
  layer: Layer.Layer<CacheServices, E>,
  settings: CacheSettingsOptions = {}
): Effect.Effect<Client, E | CacheError, Scope.Scope> =>
  Effect.map(Layer.build(Layer.fresh(Layer.provide(layer, CacheConfig.layer(settings)))), (context) => {
    const run: Client["run"] = (effect) => Effect.provideContext(effect, context)
    return {
      run,
      // Commands of a client are answered in order, so what had sent one before has its reply and went on.
      settle: Effect.ignore(run(Effect.replicateEffect(settleRound, 12, { discard: true }))),
      inFlight: run(
        Effect.map(
          CacheClient.use((client) => client.stats),
          ({ inFlight }) => inFlight
        )
      )
    }
  })

export const memoryClient = (maxEntries = 1000): Effect.Effect<Client, CacheError, Scope.Scope> =>
  buildClient(CacheMemory.layer({ maxEntries }))

/** A server shared by the tests of a file. */
export const sharedRedis = (options?: RedisServerOptions): Effect.Effect<RunningRedis> => {
  const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer(options)))
  afterAll(() => runtime.dispose())
  return Effect.promise(() => runtime.runPromise(RedisServer))
}

/** A connection beside the clients, for what an operator or an eviction would do. */
export const adminOf = (
  server: RunningRedis,
  options: { readonly db?: number } = {}
): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const settings = {
        port: server.port,
        host: server.host,
        lazyConnect: true,
        replyMapping: "legacy" as const,
        ...options
      }
      const admin = new Redis(settings)
      admin.on("error", () => {})
      await admin.connect()
      return admin
    }),
    (admin) => Effect.sync(() => admin.disconnect())
  )

let worlds = 0
/** A namespace that no other test uses. */
export const freshNamespace = (): string => `w${worlds++}`

/** All keys that match, by SCAN. */
export const scanKeys = async (admin: Redis, match: string): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  let cursor = "0"
  do {
    const page = await admin.scan(cursor, "MATCH", match, "COUNT", 1000)
    cursor = page[0]
    found.push(...page[1])
  } while (cursor !== "0")
  return found
}

/** How often a command was carried out since the statistics were reset. */
export const commandCounts = async (admin: Redis): Promise<Readonly<Record<string, number>>> => {
  const counts: Record<string, number> = {}
  for (const [, name, calls] of (await admin.info("commandstats")).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    counts[name!] = Number(calls)
  }
  return counts
}

/** A loader that stops in the middle: it has seen the row, and does not return it until it may. */
export interface Gate<A> {
  /** The row was seen. */
  readonly reached: Effect.Effect<A>
  readonly open: Effect.Effect<void>
  /** Sees `row`, says so, waits. */
  readonly pass: (row: A) => Effect.Effect<A>
}

export const makeGate = <A>(): Gate<A> => {
  const reached = Deferred.makeUnsafe<A>()
  const gate = Deferred.makeUnsafe<void>()
  return {
    reached: Deferred.await(reached),
    open: Effect.asVoid(Deferred.succeed(gate, undefined)),
    pass: (row) => Effect.as(Effect.andThen(Deferred.succeed(reached, row), Deferred.await(gate)), row)
  }
}
