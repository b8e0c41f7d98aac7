/**
 * A connection is open when all of its handshake was answered well: `AUTH`, `SELECT`, `INFO`, on every connect. Otherwise the
 * store stays away, and says once why; nothing is written to the console.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Command, Redis } from "ioredis"
import { TestClock } from "effect/testing"
import { afterEach, beforeEach, vi } from "vitest"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { handshake, HostileRedis } from "../../security/hostileRedis.ts"
import { cacheCommands, cacheRules, cacheUser, operator } from "../../support/acl.ts"
import { plant, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisCluster } from "../../support/redisCluster.ts"
import { RedisSentinel } from "../../support/redisSentinel.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { captureLogs, eventually, openClient, openCommands, reasonOf } from "./support.ts"

const consoles = ["log", "info", "warn", "error", "debug"] as const
let spies: ReadonlyArray<ReturnType<typeof vi.spyOn>> = []
beforeEach(() => {
  spies = consoles.map((name) => vi.spyOn(console, name).mockImplementation(() => {}))
})
afterEach(() => {
  const written = spies.flatMap((spy) => spy.mock.calls)
  for (const spy of spies) spy.mockRestore()
  assert.deepStrictEqual(written, [])
})

const without = (...commands: ReadonlyArray<string>) =>
  cacheRules(
    "ec",
    cacheCommands.filter((command) => !commands.includes(command))
  )

const aclOf = (rules: ReadonlyArray<string>) => [
  "user default off",
  `user ${operator.username} on >${operator.password} ~* &* +@all`,
  `user ${cacheUser.username} ${rules.join(" ")}`
]

const warnings = (logs: ReturnType<typeof captureLogs>) => logs.lines.filter((line) => line.startsWith("Warn"))

/** Nothing is read or written by it, and one warning says what. */
const staysAway = (logs: ReturnType<typeof captureLogs>, options: RedisOptions, what: RegExp) =>
  Effect.gen(function*() {
    const before = warnings(logs).length
    const { backend, tags } = yield* makeRedisPrimitives({ ...options, timeout: "5 seconds" })
    for (const effect of [backend.read("k"), plant(backend, "k", write(backend, 1)), backend.clear]) {
      assert.strictEqual(yield* reasonOf(Effect.asVoid(effect)), "Unavailable")
    }
    const error = yield* Effect.flip(tags.invalidate(["t"]))
    assert.match(error.message, what)
    // Some more attempts, each refused.
    yield* eventually(Effect.sync(() => warnings(logs).length > before))
    yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 300)))
    assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
    const said = warnings(logs).slice(before)
    assert.strictEqual(said.length, 1, said.join("\n"))
    assert.match(said[0]!, what)
    assert.notInclude(said[0]!, "hush")
  })

/** Gives the outcome of an effect that should go well at some time. */
const atLast = <A, E>(effect: Effect.Effect<A, E>) =>
  eventually(Effect.map(Effect.result(effect), ({ _tag }) => _tag === "Success"))

const keysOf = (client: Redis, db: number) =>
  Effect.promise(async () => {
    await client.select(db)
    return await client.keys("*")
  })

describe("the database of a number", () => {
  const selects = [
    ["is not allowed", { acl: aclOf(without("select")) }, cacheUser, /SELECT 1 was refused: .*\+select/],
    ["does not exist", { args: ["--databases", "1"] }, {}, /SELECT 1 was refused: ERR DB index is out of range/]
  ] as const
  it.effect.each(selects)("%s: another one is neither read nor written", ([, settings, user, what]) => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped(settings)
        const admin = yield* openClient({ port: server.port, ...("acl" in settings ? operator : {}) })
        const production = yield* makeRedisPrimitives({ port: server.port, ...user })
        yield* plant(production.backend, "k", write(production.backend, "production"))
        const before = yield* keysOf(admin, 0)
        yield* staysAway(logs, { port: server.port, ...user, db: 1 }, what)
        yield* staysAway(logs, { port: server.port, ...user, db: 1, durability: { replicas: 1 } }, what)
        assert.deepStrictEqual((yield* keysOf(admin, 0)).sort(), before.sort())
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("is refused on a reconnect, and allowed again", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(cacheRules("ec")) })
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const admin = yield* openClient({ port: server.port, ...operator })
        const { backend, tags } = yield* makeRedisPrimitives({ port: proxy.port, ...cacheUser, db: 3 })
        yield* plant(backend, "k", write(backend, 1))
        assert.isAbove((yield* keysOf(admin, 3)).length, 0)
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "-select"))
        proxy.cut()
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => line.includes("SELECT 3 was refused"))))
        assert.match((yield* Effect.flip(tags.invalidate(["t"]))).message, /SELECT 3 was refused/)
        assert.strictEqual(yield* reasonOf(backend.clear), "Unavailable")
        yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 300)))
        // That it went away, and why it does not come back.
        assert.isAtMost(warnings(logs).length, 2)
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "+select"))
        yield* atLast(tags.invalidate(["t"]))
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        yield* eventually(Effect.sync(() => logs.lines.some((line) => line.includes("is back"))))
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("of a client that was brought along is its own, or it is not used", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(without("select")) })
        const admin = yield* openClient({ port: server.port, ...operator })
        const client = yield* openClient({ port: server.port, ...cacheUser, db: 2 })
        yield* staysAway(logs, { client }, /SELECT 2 was refused: .*\+select/)
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        const { backend } = yield* makeRedisPrimitives({ client, timeout: "5 seconds" })
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "+select"))
        yield* atLast(plant(backend, "k", write(backend, 1)))
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        assert.isAbove((yield* keysOf(admin, 2)).length, 0)
        // Moved on by its owner, who is not let in there.
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "-select"))
        yield* Effect.promise(() => client.select(4).catch(() => {}))
        assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("of a client that was moved before is that of its writes to replicas, and stays it", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const admin = yield* openClient({ port: server.port })
        const client = yield* openClient({ port: server.port })
        yield* Effect.promise(() => client.select(2))
        const durability = { replicas: 1, timeout: 50 }
        const { backend } = yield* makeRedisPrimitives({ client, timeout: "5 seconds", durability })
        yield* plant(backend, "k", write(backend, 1))
        // The primary has it.
        assert.strictEqual(yield* reasonOf(Effect.asVoid(backend.remove(["k"]))), "NotReplicated")
        assert.strictEqual(yield* backend.read("k"), undefined)
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        yield* Effect.promise(() => client.select(3))
        assert.match((yield* Effect.flip(backend.read("k"))).message, /was moved to database 3, .* goes to 2/)
        yield* Effect.promise(() => client.select(2))
        yield* atLast(backend.read("k"))
        assert.strictEqual(warnings(logs).length, 1)
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("is asked for again where it is not seen what ioredis was answered", () => {
    const logs = captureLogs()
    const { sendCommand } = Redis.prototype
    const select = vi.spyOn(Redis.prototype, "select").mockImplementation(function (this: Redis, db, callback) {
      const command = new Command("select", [db], {}, callback as never)
      return sendCommand.call(this, command) as Promise<"OK">
    })
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(without("select")) })
        const admin = yield* openClient({ port: server.port, ...operator })
        const { tags } = yield* makeRedisPrimitives({ port: server.port, ...cacheUser, db: 1, timeout: "5 seconds" })
        assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "Unavailable")
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => line.includes("SELECT 1 was refused"))))
        assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "Unavailable")
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "+select"))
        yield* atLast(tags.invalidate(["t"]))
        assert.deepStrictEqual(yield* keysOf(admin, 0), [])
      })
    ).pipe(Effect.provide(logs.layer), Effect.ensuring(Effect.sync(() => select.mockRestore())))
  })

  it.effect(
    "behind Sentinel is refused, too",
    () => {
      const logs = captureLogs()
      return Effect.scoped(
        Effect.gen(function*() {
          const sentinel = yield* RedisSentinel.scoped({ acl: aclOf(without("select")), replicas: 1 })
          yield* staysAway(logs, { url: `${sentinel.url}/1`, ...cacheUser }, /SELECT 1 was refused: .*\+select/)
          // The sentinels ask for no password.
          const strange = { sentinelPassword: "hush" }
          yield* staysAway(logs, { url: sentinel.url, ...cacheUser, ...strange }, /asks for no password/)
        })
      ).pipe(Effect.provide(logs.layer))
    },
    60_000
  )
})

describe("AUTH", () => {
  it.effect("is refused, or not wanted", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const open = yield* RedisServer.scoped()
        const closed = yield* RedisServer.scoped({ requirepass: "right" })
        const password = Redacted.make("hush")
        yield* staysAway(logs, { port: open.port, password }, /AUTH was refused: .*asks for no password/)
        yield* staysAway(logs, { port: closed.port, password }, /AUTH was refused: WRONGPASS.*check username/)
        yield* staysAway(logs, { port: closed.port }, /INFO was refused: NOAUTH.*give username and password/)
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("is refused after the password was changed, on the next connect", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(cacheRules("ec")) })
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const admin = yield* openClient({ port: server.port, ...operator })
        const { backend } = yield* makeRedisPrimitives({ port: proxy.port, ...cacheUser })
        yield* backend.read("k")
        yield* Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, "resetpass", ">other"))
        proxy.cut()
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => /AUTH was refused: WRONGPASS/.test(line))))
        assert.isAtMost(warnings(logs).length, 2)
        yield* Effect.promise(() =>
          admin.call("ACL", "SETUSER", cacheUser.username, "resetpass", `>${cacheUser.password}`)
        )
        yield* atLast(backend.read("k"))
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("of a connection beside the first is refused, while that one stays", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf([...cacheRules("ec"), "+client|setname", "+wait"]) })
        const admin = yield* openClient({ port: server.port, ...operator })
        const options = { port: server.port, ...cacheUser, durability: { replicas: 1, timeout: "50 millis" } } as const
        const { backend, tags } = yield* makeRedisPrimitives(options)
        assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "NotReplicated")
        yield* Effect.promise(async () => {
          await admin.call("ACL", "SETUSER", cacheUser.username, "resetpass", ">other")
          const list = String(await admin.call("CLIENT", "LIST"))
          const id = /id=(\d+) .*name=effect-cache:durable /.exec(list)![1]!
          await admin.call("CLIENT", "KILL", "ID", id)
        })
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => /AUTH was refused: WRONGPASS/.test(line))))
        assert.strictEqual(warnings(logs).length, 1)
        yield* Effect.forkScoped(backend.awaitRelease("k", "a"))
        yield* eventually(Effect.sync(() => warnings(logs).length > 1))
        assert.match(warnings(logs)[1]!, /sends no hints: AUTH was refused: WRONGPASS/)
        yield* backend.read("k")
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect(
    "is refused by the nodes of a cluster",
    () => {
      const logs = captureLogs()
      return Effect.scoped(
        Effect.gen(function*() {
          const cluster = yield* RedisCluster.scoped({ replicas: 0, acl: aclOf(cacheRules("ec")) })
          const { backend } = yield* makeRedisPrimitives({ url: cluster.url, username: "cache", password: "hush" })
          yield* eventually(Effect.sync(() => warnings(logs).length > 0))
          assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 300)))
          assert.isAtMost(warnings(logs).length, 3)
          for (const line of warnings(logs)) assert.match(line, /AUTH was refused: WRONGPASS/)
        })
      ).pipe(Effect.provide(logs.layer))
    },
    60_000
  )
})

describe("INFO", () => {
  it.effect("is not allowed", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(without("info")) })
        yield* staysAway(logs, { port: server.port, ...cacheUser }, /INFO was refused: .*\+info/)
      })
    ).pipe(Effect.provide(logs.layer))
  })

  it.effect("is answered by a proxy that says the same to everything", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        for (const [reply, what] of [
          ["+OK\r\n", /INFO was refused: what came back is no answer to INFO/],
          ["-ERR no such backend\r\n", /(SELECT 1|INFO) was refused: ERR no such backend/],
          [":1\r\n", /(SELECT 1|INFO) was refused: what came back is no answer/]
        ] as const) {
          const { port } = yield* HostileRedis.scoped(() => reply)
          yield* staysAway(logs, { port }, what)
        }
        const { port } = yield* HostileRedis.scoped((command) =>
          command[0] === "auth" ? "+PONG\r\n" : handshake(command)
        )
        yield* staysAway(logs, { port, password: "hush" }, /AUTH was refused: what came back is no answer/)
      })
    ).pipe(Effect.provide(logs.layer))
  })
})

it.effect("a client that was brought along and may not say HELLO is used as it is", () => {
  const logs = captureLogs()
  return Effect.scoped(
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ args: ["--rename-command", "HELLO", "hidden"] })
      const client = yield* openClient({ port: server.port, protocol: 3, db: 2 })
      const { backend } = yield* makeRedisPrimitives({ client, durability: { replicas: 1, timeout: 50 } })
      yield* plant(backend, "k", write(backend, 1))
      assert.isAbove((yield* keysOf(client, 2)).length, 0)
      assert.strictEqual(yield* reasonOf(Effect.asVoid(backend.remove(["k"]))), "NotReplicated")
      assert.deepStrictEqual(warnings(logs), [])
    })
  ).pipe(Effect.provide(logs.layer))
})

it.effect("CLIENT SETINFO is not sent, by none of the connections", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const sent: Array<string> = []
      const server = yield* HostileRedis.scoped((command) => {
        sent.push(command.join(" ").toLowerCase())
        return handshake(command)
      })
      const client = yield* openClient({ port: server.port, disableClientInfo: true })
      for (const options of [{ port: server.port }, { client }] satisfies ReadonlyArray<RedisOptions>) {
        const { backend } = yield* makeRedisPrimitives({ ...options, durability: { replicas: 1 } })
        yield* backend.read("k")
        yield* Effect.forkScoped(backend.awaitRelease("k", "a"))
      }
      yield* eventually(Effect.sync(() => sent.filter((line) => line.startsWith("subscribe")).length > 1))
      assert.isFalse(sent.some((line) => line.includes("setinfo")))
    })
  )
)

describe("a command that is needed and missing", () => {
  it.effect("is warned about once, by its name", () => {
    const logs = captureLogs()
    return Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ args: ["--rename-command", "MGET", "hidden"] })
        const { nodes } = yield* openCommands({ port: server.port })
        const ask = Effect.callback<string>((resume) => {
          nodes.command("a", "read", "mget", ["a", "b"], null, (error) =>
            resume(Effect.succeed(String(error?.message)))
          )
        })
        for (let i = 0; i < 3; i++) assert.match(yield* ask, /unknown command/)
        assert.strictEqual(warnings(logs).length, 1)
        assert.match(warnings(logs)[0]!, /refuses MGET, which the cache needs: ERR unknown command/)
      })
    ).pipe(Effect.provide(logs.layer))
  })

  const commands = ["mget", "set", "get", "unlink", "eval", "evalsha", "scan", "time", "subscribe"] as const
  it.effect("for each of them", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const users = commands.map((command) => `user no-${command} ${without(command).join(" ")}`)
        const server = yield* RedisServer.scoped({ acl: [...aclOf(cacheRules("ec")), ...users] })
        for (const command of commands) {
          const logs = captureLogs()
          const user = { username: `no-${command}`, password: cacheUser.password }
          yield* Effect.gen(function*() {
            const { backend, tags } = yield* makeRedisPrimitives({ port: server.port, ...user })
            for (let i = 0; i < 3; i++) {
              yield* Effect.all(
                [
                  Effect.exit(Effect.all([backend.read("k"), backend.read("l")], { concurrency: "unbounded" })),
                  Effect.exit(plant(backend, "k", write(backend, 1))),
                  Effect.exit(backend.remove(["k"])),
                  Effect.exit(tags.invalidate(["t"])),
                  Effect.exit(backend.clear)
                ],
                { discard: true }
              )
            }
            yield* Effect.forkScoped(backend.awaitRelease("k", "a"))
            yield* TestClock.withLive(Effect.sleep(100))
            const told = warnings(logs)
            assert.strictEqual(told.length, 1, `${command}: ${told.join("\n")}`)
            assert.match(told[0]!, new RegExp(`refuses ${command.toUpperCase()}, which the cache needs: `))
          }).pipe(Effect.provide(logs.layer), Effect.scoped)
        }
      })
    )
  )
})
