/**
 * Looks at a store on a real Redis from outside, and inside.
 */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Logger, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Redis, type RedisOptions as ClientOptions } from "ioredis"
import { inspect } from "node:util"
import type { CacheError } from "../../../src/CacheError.ts"
import { Commands } from "../../../src/stores/redis/commands.ts"
import { loadDriver } from "../../../src/stores/redis/driver.ts"
import { type RedisOptions, resolve } from "../../../src/stores/redis/options/options.ts"
import { makeRedisPrimitives, openNodes } from "../../../src/stores/redis/primitives.ts"
import type { Lookup } from "../../../src/services/CacheBackend.ts"
import type { Primitives } from "../../support/primitives.ts"
import type { RunningRedis } from "../../support/redisServer.ts"

let counter = 0
export const fresh = () => `t${counter++}`

export const openClient = (options: ClientOptions) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const settings = { ...options, lazyConnect: true, replyMapping: "legacy" as const }
      const client = new Redis(settings)
      client.on("error", () => {})
      await client.connect()
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )
/** What the primitives are made of, to look inside. */
export const openCommands = (options: RedisOptions) =>
  Effect.gen(function*() {
    const resolved = yield* resolve(options)
    yield* loadDriver
    const context = yield* Effect.context<never>()
    return yield* Effect.acquireRelease(
      Effect.sync(() => new Commands(openNodes(resolved, context, resolved.client))),
      ({ nodes }) => Effect.promise(() => nodes.close())
    )
  })

export const admin = (server: RunningRedis) => openClient({ port: server.port, host: server.host })

/** A store in a namespace of its own, and a client that looks at it from outside. */
export const openStore = (server: RunningRedis) =>
  Effect.gen(function*() {
    const client = yield* admin(server)
    const namespace = fresh()
    const primitives = yield* makeRedisPrimitives({ url: server.url, namespace })
    const text = (name: string) => Effect.promise(() => client.get(`${namespace}:${name}`))
    return { server, client, namespace, ...primitives, text }
  })

export const scoped =
  <A, E>(test: Effect.Effect<A, E, Scope.Scope>) =>
  () =>
    Effect.scoped(test)

/** Real time, for what a server does by itself. Polls, so that nothing depends on how fast this host is. */
export const eventually = <E>(condition: Effect.Effect<boolean, E>) => {
  const polled = Effect.gen(function*() {
    for (let i = 0; i < 500; i++) {
      if (yield* condition) return
      yield* Effect.sleep(20)
    }
    assert.fail("it did not happen in time")
  })
  // Also in tests that are live as a whole.
  return Clock.clockWith((clock) => ("adjust" in clock ? TestClock.withLive(polled) : polled))
}

export const lookup = ({ fast }: Primitives["backend"], key: string, tags: ReadonlyArray<string>) =>
  Effect.callback<Lookup, CacheError>((resume) => fast!.lookup!(key, tags, resume))

export const reasonOf = <A>(effect: Effect.Effect<A, CacheError>) =>
  effect.pipe(
    Effect.flip,
    Effect.map((error) => error.reason._tag)
  )

export const calls = (client: Redis, command: string) =>
  Effect.promise(async () => {
    const found = new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await client.info("commandstats"))
    return found === null ? 0 : Number(found[1])
  })

export const captureLogs = () => {
  const lines: Array<string> = []
  const layer = Logger.layer([
    Logger.make((options) => {
      lines.push(`${options.logLevel} ${inspect(options.message, { depth: 10 })} ${inspect(options.cause)}`)
    })
  ])
  return { lines, layer }
}

export type Logs = ReturnType<typeof captureLogs>

/** What was said, each on one line. */
export const said = ({ lines }: Logs, level = ""): ReadonlyArray<string> =>
  lines
    .filter((line) => line.startsWith(level) && !line.startsWith("Debug"))
    .map((line) => line.replaceAll(/\s+/g, " "))

/** A test that looks at its logs. */
export const logged = <A, E>(
  name: string,
  body: (logs: Logs) => Effect.Effect<A, E, Scope.Scope>,
  timeoutMillis?: number
): void =>
  it.effect(
    name,
    () => {
      const logs = captureLogs()
      return Effect.scoped(body(logs)).pipe(Effect.provide(logs.layer))
    },
    timeoutMillis
  )
