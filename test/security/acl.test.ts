/**
 * The least-privilege user of docs/security.md: everything works under it, no command of its list can be left out, and it
 * reaches nothing that is not the cache's. The `default` user is off.
 */
import { isDeepStrictEqual } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, ManagedRuntime, Option, Schema, type Scope } from "effect"
import { Redis } from "ioredis"
import { afterAll } from "vitest"
import {
  CacheBackend,
  cacheAside,
  CacheClient,
  CacheConfig,
  type CacheError,
  type CacheServices,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  LockManager,
  stampedeProtect,
  writeThrough
} from "../../src/index.ts"
import { makeNames } from "../../src/stores/redis/commands.ts"
import { makeRedisPrimitives } from "../../src/stores/redis/primitives.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import type { ConformanceStore } from "../../src/testing/index.ts"
import type { Intents } from "../../src/services/CacheBackend.ts"
import { conformance } from "../contract/conformance.ts"
import { cacheCommands, cacheRules, cacheUser, leastPrivilege, operator } from "../support/acl.ts"
import { makeGate } from "../support/client.ts"
import { RedisServer } from "../support/redisServer.ts"

const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer({ acl: leastPrivilege("ec") })))
afterAll(() => runtime.dispose())
const server = Effect.promise(() => runtime.runPromise(RedisServer))

/** Not 0, where everybody is who was not let in. */
const db = 3

/** A connection as somebody, until the scope closes. */
const connect = (user: { readonly username: string; readonly password: string }) =>
  Effect.acquireRelease(
    Effect.flatMap(server, ({ host, port }) =>
      Effect.promise(async () => {
        const client = new Redis({ host, port, db, ...user, lazyConnect: true, replyMapping: "legacy", protocol: 2 })
        client.on("error", () => {})
        await client.connect()
        return client
      })
    ),
    (client) => Effect.sync(() => client.disconnect())
  )

const asOperator = <A>(use: (client: Redis) => Promise<A>): Effect.Effect<A> =>
  Effect.scoped(Effect.flatMap(connect(operator), (client) => Effect.promise(() => use(client))))

const grant = (username: string, rules: ReadonlyArray<string>) =>
  asOperator((client) => client.call("ACL", "SETUSER", username, "reset", ...rules))

let stores = 0
// A user for each store, so that each sees that its own namespace is enough.
const openStore = Effect.gen(function*() {
  const { url } = yield* server
  const namespace = `ns${"x".repeat(stores % 3)}:${stores}`
  const username = `cache${stores++}`
  yield* grant(username, cacheRules(namespace))
  const names = makeNames(namespace)
  const { password } = cacheUser
  return {
    connect: makeRedisPrimitives({ url, username, password, db, namespace, timeout: "10 seconds" }),
    advance: (millis) => Effect.sleep(millis),
    evict: (kind, name) =>
      Effect.asVoid(asOperator((client) => client.del(kind === "epoch" ? names.epoch : names[kind](name))))
  } satisfies ConformanceStore
})

conformance("Redis with least privilege", openStore, [
  "CacheBackend",
  "TagIndex",
  "LockStore",
  "hints",
  "intents",
  "evictions",
  "protocol",
  "sharing"
])

type Failed = ReadonlyArray<string>

/** All that is done with intents, and whether it did anything. */
const keepIntents = (intents: Intents) =>
  Effect.gen(function*() {
    const intent = { keys: ["l"], patterns: [], tags: [] }
    const put = yield* intents.put("k", "w:1", intent, 1)
    const renewed = yield* intents.renew("k", "w:1", 1)
    yield* intents.put("k", "w:2", intent, 1)
    yield* intents.drop([{ key: "k", token: "w:2" }])
    const dropped = !(yield* intents.renew("k", "w:2", 1))
    yield* Effect.sleep(50)
    const ended = yield* intents.ended("k")
    const settled = yield* Effect.forEach(ended, intents.settle)
    const { found } = yield* intents.sweep(20, 10)
    yield* intents.forget(found)
    yield* Effect.sleep(50)
    const left = (yield* intents.sweep(20, 10)).found
    return { put, renewed, dropped, settled, found: found.length, left: left.length }
  })

/** Everything a program can ask of the cache, between two clients. Says what of it failed, or fell back to loading. */
const tour = (username: string, namespace: string): Effect.Effect<Failed, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const { url } = yield* server
    const { password } = cacheUser
    const build = Layer.build(
      Layer.fresh(
        CacheRedis.layer({ url, username, password, db, namespace, timeout: "5 seconds", pingInterval: 100 }).pipe(
          Layer.provide(CacheConfig.layer({ lockTtl: "300 millis" }))
        )
      )
    )
    const [a, b] = [yield* build, yield* build]
    const clientA = Context.get(a, CacheClient)
    const on = <A, E>(context: Context.Context<CacheServices>, effect: Effect.Effect<A, E, CacheServices>) =>
      Effect.provideContext(effect, context)
    const region = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute", tags: ["rows"] } as const
    type Id = { readonly id: string }
    let loads = 0
    const load = (_: Id) => Effect.sync(() => ++loads)
    const get = cacheAside(region)(load)
    const gate = makeGate<number>()
    const slow = stampedeProtect({ ...region, waitTimeout: "5 seconds" })((_: Id) => gate.pass(1))
    const put = writeThrough(region)(load)
    const ageless = cacheAside({ ...region, key: "ageless:{id}", ttl: Number.POSITIVE_INFINITY })(load)

    const failed: Array<string> = []
    const step = (name: string, effect: Effect.Effect<unknown, unknown>) =>
      Effect.map(Effect.exit(effect), (exit) => {
        if (Exit.isFailure(exit)) failed.push(name)
      })
    yield* step("read", on(a, get({ id: "1" })))
    yield* step("ageless", on(a, ageless({ id: "1" })))
    const before = loads
    yield* on(b, get({ id: "1" }))
    if (loads !== before) failed.push("hit")
    // Held for longer than a third of the lease, so that it is renewed.
    const holder = yield* Effect.forkChild(on(a, slow({ id: "2" })), { startImmediately: true })
    yield* gate.reached
    const waiter = yield* Effect.forkChild(on(b, slow({ id: "2" })), { startImmediately: true })
    yield* Effect.sleep(250)
    yield* gate.open
    yield* step("stampede", Effect.all([Fiber.join(holder), Fiber.join(waiter)]))
    yield* step("refresh", on(a, get.refresh({ id: "1" })))
    yield* step("write", on(a, put({ id: "3" })))
    yield* step("set", clientA.set("x", 1, { schema: Schema.Number, tags: ["x"] }))
    yield* step("get", clientA.get("x", Schema.Number))
    yield* step("tag", clientA.tag("x", ["more"]))
    yield* step("invalidateKey", on(a, invalidateKey("row:1")))
    yield* step("invalidateTags", on(a, invalidateTags(["rows", "new"])))
    yield* step("invalidatePattern", on(a, invalidatePattern("row:*")))
    // A user who may not keep intents keeps none, without a failure.
    const kept = yield* Effect.option(keepIntents(Context.get(a, CacheBackend).intents!))
    const expected = { put: true, renewed: true, dropped: true, settled: [true], found: 2, left: 0 }
    if (!isDeepStrictEqual(Option.getOrUndefined(kept), expected)) failed.push(`intents: ${JSON.stringify(kept)}`)
    const { unavailable } = yield* clientA.stats
    if (unavailable !== undefined) failed.push(`stats: ${unavailable.message}`)
    yield* step(
      "lock",
      on(
        a,
        LockManager.use((locks) => locks.withLock("l", { ttl: "600 millis" })(Effect.sleep(900)))
      )
    )
    yield* step("clear", clientA.clear)
    const { total } = yield* clientA.counters
    for (const [reason, count] of Object.entries(total.errors)) failed.push(`${reason}: ${count}`)
    return failed
  })

/** What Redis refused, by user. */
const denials = asOperator(async (client) => {
  const log = (await client.call("ACL", "LOG", "10000")) as ReadonlyArray<ReadonlyArray<string>>
  const found = new Map<string, Set<string>>()
  for (const fields of log) {
    const field = (name: string) => fields[fields.indexOf(name) + 1]!
    const user = field("username")
    const refused = found.get(user) ?? new Set()
    found.set(
      user,
      refused.add(field("reason") === "command" ? field("object") : `${field("reason")} ${field("object")}`)
    )
  }
  return found
})

describe("least privilege", () => {
  it.live("everything works, and nothing is refused but the name of the connection", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* tour(cacheUser.username, "ec"), [])
      const refused = (yield* denials).get(cacheUser.username) ?? new Set()
      assert.deepStrictEqual([...refused], ["client|setname"])
    }).pipe(Effect.scoped)
  )

  it.live("no command can be left out: each one is refused, and most of them break something", () =>
    Effect.gen(function*() {
      // By default the log keeps fewer entries than are made here.
      yield* asOperator((client) => client.config("SET", "acllog-max-len", "10000"))
      const outcomes = yield* Effect.forEach(
        cacheCommands,
        (command) =>
          Effect.gen(function*() {
            const [username, namespace] = [`without-${command}`, `without-${command}`]
            yield* grant(
              username,
              cacheRules(
                namespace,
                cacheCommands.filter((other) => other !== command)
              )
            )
            return [command, username, yield* Effect.scoped(tour(username, namespace))] as const
          }),
        // More at once would be so slow that nobody comes to wait for another.
        { concurrency: 8 }
      )
      const refused = yield* denials
      const silent: Array<string> = []
      for (const [command, username, failed] of outcomes) {
        assert.isTrue(refused.get(username)?.has(command), `${command} was never asked for`)
        if (failed.length === 0) silent.push(command)
      }
      // What is asked for along with a fill is left to the sweep.
      // Hints are a courtesy: without them waiters poll. An unsubscription that fails leaves a channel until the close,
      // and without a PING an idle connection is closed.
      assert.deepStrictEqual(silent, ["exists", "publish", "subscribe", "unsubscribe", "ping"])
    })
  )

  it.live("it reaches no other key and no other channel, and no command of an operator", () =>
    Effect.gen(function*() {
      const cache = yield* connect(cacheUser)
      yield* asOperator((client) => client.set("other:secret", "s3cr3t"))
      const attempts: ReadonlyArray<readonly [name: string, ...args: ReadonlyArray<string>]> = [
        ["GET", "other:secret"],
        ["SET", "other:secret", "x"],
        ["UNLINK", "other:secret"],
        ["EVAL", "return redis.call('GET', 'other:secret')", "0"],
        ["EVAL", "return redis.call('GET', KEYS[1])", "1", "other:secret"],
        ["EVAL", "return redis.call('FLUSHALL')", "0"],
        ["PUBLISH", "other", "x"],
        ["PUBLISH", "ec:other", "x"],
        ["SUBSCRIBE", "other"],
        ["KEYS", "*"],
        ["FLUSHALL"],
        ["CONFIG", "GET", "*"],
        ["ACL", "LIST"],
        ["SCRIPT", "FLUSH"],
        ["MONITOR"],
        ["RANDOMKEY"]
      ]
      for (const attempt of attempts) {
        const [name, ...args] = attempt
        const outcome = yield* Effect.promise(() => cache.call(name, ...args).then(String, String))
        assert.match(outcome, /NOPERM|ACL failure|The user executing the script/, attempt.join(" "))
      }
      assert.strictEqual(yield* asOperator((client) => client.get("other:secret")), "s3cr3t")
      // What the rules of Redis cannot prevent: a scan shows the names of all keys. See docs/security.md.
      const [, names] = yield* Effect.promise(() => cache.scan("0", "MATCH", "other:*", "COUNT", 10_000))
      assert.deepStrictEqual(names, ["other:secret"])
    }).pipe(Effect.scoped)
  )

  it.live("nobody comes in without a name", () =>
    Effect.gen(function*() {
      const { url } = yield* server
      const get = cacheAside({ key: "k", schema: Schema.Number })(Effect.succeed(1))
      for (const password of [undefined, "wrong"]) {
        const context = yield* Layer.build(
          Layer.fresh(CacheRedis.layer({ url, ...(password === undefined ? {} : { username: "cache", password }) }))
        )
        // The cache is bypassed, and nothing is stored.
        assert.strictEqual(yield* Effect.provideContext(get, context), 1)
        const found = yield* Effect.exit(Effect.provideContext(get.peek, context))
        assert.isTrue(Exit.isFailure(found) || Option.isNone(found.value))
      }
    }).pipe(Effect.scoped)
  )
})
