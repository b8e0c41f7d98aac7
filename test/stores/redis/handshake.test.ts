/**
 * A connection is open when all of its handshake was answered well: `AUTH`, `SELECT`, `INFO`, on every connect. Otherwise the
 * store stays away, and says once why; nothing is written to the console.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import { Command, Redis } from "ioredis"
import { afterEach, beforeEach, vi } from "vitest"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { type Answer, handshake, HostileRedis } from "../../security/hostileRedis.ts"
import { cacheCommands, cacheRules, cacheUser, operator } from "../../support/acl.ts"
import { plant, write } from "../../support/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisCluster } from "../../support/redisCluster.ts"
import { RedisSentinel } from "../../support/redisSentinel.ts"
import { RedisServer, type RedisServerOptions } from "../../support/redisServer.ts"
import { captureLogs, eventually, logged, type Logs, openClient, openCommands, reasonOf, said } from "./support.ts"

const consoles = ["log", "info", "warn", "error", "debug"] as const
let spies: ReadonlyArray<ReturnType<typeof vi.spyOn>> = []
/** How often each command was sent. */
const sent = new Map<string, number>()
beforeEach(() => {
  spies = consoles.map((name) => vi.spyOn(console, name).mockImplementation(() => {}))
  sent.clear()
  const send = Redis.prototype.sendCommand
  vi.spyOn(Redis.prototype, "sendCommand").mockImplementation(function (this: Redis, command, stream) {
    sent.set(command.name, (sent.get(command.name) ?? 0) + 1)
    return send.call(this, command, stream)
  })
})
afterEach(() => {
  const written = spies.flatMap((spy) => spy.mock.calls)
  vi.restoreAllMocks()
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

const warnings = (logs: Logs) => said(logs, "Warn")

/** Some more attempts, each refused at this command. */
const triedAgain = (command: string) =>
  Effect.suspend(() => {
    const before = sent.get(command) ?? 0
    return eventually(Effect.sync(() => sent.get(command)! >= before + 3))
  })

/** Nothing is read or written by it, and one warning says what. `command` is the one that is refused. */
const staysAway = (logs: Logs, options: RedisOptions, command: string, what: RegExp) =>
  Effect.gen(function*() {
    const before = warnings(logs).length
    const { backend, tags } = yield* makeRedisPrimitives({ ...options, timeout: "5 seconds" })
    for (const effect of [backend.read("k"), plant(backend, "k", write(backend, 1)), backend.clear]) {
      assert.strictEqual(yield* reasonOf(Effect.asVoid(effect)), "Unavailable")
    }
    const error = yield* Effect.flip(tags.invalidate(["t"]))
    assert.match(error.message, what)
    yield* triedAgain(command)
    assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
    const told = warnings(logs).slice(before)
    assert.strictEqual(told.length, 1, told.join("\n"))
    assert.match(told[0]!, what)
    assert.notInclude(told[0]!, "hush")
  })

/** Goes well at some time. */
const atLast = <A, E>(effect: Effect.Effect<A, E>) => eventually(Effect.isSuccess(effect))

const keysOf = (client: Redis, db: number) =>
  Effect.promise(async () => {
    await client.select(db)
    return await client.keys("*")
  })

const setUser = (admin: Redis, ...rules: ReadonlyArray<string>) =>
  Effect.promise(() => admin.call("ACL", "SETUSER", cacheUser.username, ...rules))

describe("a refusal", () => {
  const real = (settings: RedisServerOptions) => Effect.map(RedisServer.scoped(settings), ({ port }) => port)
  const fake = (answer: Answer) => Effect.map(HostileRedis.scoped(answer), ({ port }) => port)
  const password = Redacted.make("hush")

  const refusals: ReadonlyArray<
    readonly [
      what: string,
      server: Effect.Effect<number, unknown, Scope.Scope>,
      options: RedisOptions,
      command: string,
      said: RegExp
    ]
  > = [
    ["of AUTH: not wanted", real({}), { password }, "auth", /AUTH was refused: .*asks for no password/],
    [
      "of AUTH: another password",
      real({ requirepass: "right" }),
      { password },
      "auth",
      /AUTH was refused: WRONGPASS.*check username/
    ],
    [
      "of AUTH: none was given",
      real({ requirepass: "right" }),
      {},
      "info",
      /INFO was refused: NOAUTH.*give username and password/
    ],
    ["of INFO: not allowed", real({ acl: aclOf(without("info")) }), cacheUser, "info", /INFO was refused: .*\+info/],
    [
      "by a proxy that says OK to everything",
      fake(() => "+OK\r\n"),
      {},
      "info",
      /INFO was refused: what came back is no answer to INFO/
    ],
    [
      "by a proxy that says the same error to everything",
      fake(() => "-ERR no such backend\r\n"),
      { db: 1 },
      "select",
      /SELECT 1 was refused: ERR no such backend/
    ],
    [
      "by a proxy that says 1 to everything",
      fake(() => ":1\r\n"),
      {},
      "info",
      /INFO was refused: what came back is no answer/
    ],
    [
      "by a proxy that says PONG to AUTH",
      fake((command) => (command[0] === "auth" ? "+PONG\r\n" : handshake(command))),
      { password },
      "auth",
      /AUTH was refused: what came back is no answer/
    ]
  ]
  for (const [what, server, options, command, expected] of refusals) {
    logged(what, (logs) => Effect.flatMap(server, (port) => staysAway(logs, { ...options, port }, command, expected)))
  }

  const again: ReadonlyArray<
    readonly [what: string, db: number, revoked: ReadonlyArray<string>, allowed: ReadonlyArray<string>, said: RegExp]
  > = [
    ["of SELECT", 3, ["-select"], ["+select"], /SELECT 3 was refused/],
    ["of AUTH", 0, ["resetpass", ">other"], ["resetpass", `>${cacheUser.password}`], /AUTH was refused: WRONGPASS/]
  ]
  for (const [what, db, revoked, allowed, expected] of again) {
    logged(`${what} on a reconnect, until it is allowed again`, (logs) =>
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped({ acl: aclOf(cacheRules("ec")) })
        const proxy = yield* TcpProxy.scoped({ port: server.port })
        const admin = yield* openClient({ port: server.port, ...operator })
        const { backend, tags } = yield* makeRedisPrimitives({ port: proxy.port, ...cacheUser, db })
        yield* plant(backend, "k", write(backend, 1))
        assert.isAbove((yield* keysOf(admin, db)).length, 0)
        yield* setUser(admin, ...revoked)
        proxy.cut()
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => expected.test(line))))
        assert.match((yield* Effect.flip(tags.invalidate(["t"]))).message, expected)
        assert.strictEqual(yield* reasonOf(backend.clear), "Unavailable")
        yield* triedAgain("auth")
        // That it went away, and why it does not come back.
        assert.isAtMost(warnings(logs).length, 2)
        yield* setUser(admin, ...allowed)
        yield* atLast(tags.invalidate(["t"]))
        if (db !== 0) assert.deepStrictEqual(yield* keysOf(admin, 0), [])
        yield* eventually(Effect.sync(() => said(logs, "Info").some((line) => line.includes("is back"))))
      })
    )
  }

  logged("of a connection beside the first, while that one stays", (logs) =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ acl: aclOf([...cacheRules("ec"), "+client|setname", "+wait"]) })
      const admin = yield* openClient({ port: server.port, ...operator })
      const options = { port: server.port, ...cacheUser, durability: { replicas: 1, timeout: "50 millis" } } as const
      const { backend, tags } = yield* makeRedisPrimitives(options)
      assert.strictEqual(yield* reasonOf(tags.invalidate(["t"])), "NotReplicated")
      yield* setUser(admin, "resetpass", ">other")
      yield* Effect.promise(async () => {
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
  )

  logged(
    "by the nodes of a cluster",
    (logs) =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.scoped({ replicas: 0, acl: aclOf(cacheRules("ec")) })
        const { backend } = yield* makeRedisPrimitives({ url: cluster.url, username: "cache", password: "hush" })
        yield* eventually(Effect.sync(() => warnings(logs).length > 0))
        assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
        yield* triedAgain("auth")
        assert.isAtMost(warnings(logs).length, 3)
        for (const line of warnings(logs)) assert.match(line, /AUTH was refused: WRONGPASS/)
      }),
    60_000
  )

  logged(
    "behind Sentinel",
    (logs) =>
      Effect.gen(function*() {
        const sentinel = yield* RedisSentinel.scoped({ acl: aclOf(without("select")), replicas: 1 })
        const db = { url: `${sentinel.url}/1`, ...cacheUser }
        yield* staysAway(logs, db, "select", /SELECT 1 was refused: .*\+select/)
        // The sentinels ask for no password.
        const strange = { url: sentinel.url, ...cacheUser, sentinelPassword: "hush" }
        yield* staysAway(logs, strange, "auth", /asks for no password/)
      }),
    60_000
  )
})

describe("the database of a number", () => {
  const selects = [
    ["is not allowed", { acl: aclOf(without("select")) }, cacheUser, /SELECT 1 was refused: .*\+select/],
    ["does not exist", { args: ["--databases", "1"] }, {}, /SELECT 1 was refused: ERR DB index is out of range/]
  ] as const
  for (const [name, settings, user, what] of selects) {
    logged(`${name}: another one is neither read nor written`, (logs) =>
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped(settings)
        const admin = yield* openClient({ port: server.port, ...("acl" in settings ? operator : {}) })
        const production = yield* makeRedisPrimitives({ port: server.port, ...user })
        yield* plant(production.backend, "k", write(production.backend, "production"))
        const before = yield* keysOf(admin, 0)
        const options = { port: server.port, ...user, db: 1 }
        yield* staysAway(logs, options, "select", what)
        yield* staysAway(logs, { ...options, durability: { replicas: 1 } }, "select", what)
        assert.deepStrictEqual((yield* keysOf(admin, 0)).sort(), before.sort())
      })
    )
  }

  logged("of a client that was brought along is its own, or it is not used", (logs) =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ acl: aclOf(without("select")) })
      const admin = yield* openClient({ port: server.port, ...operator })
      const client = yield* openClient({ port: server.port, ...cacheUser, db: 2 })
      yield* staysAway(logs, { client }, "select", /SELECT 2 was refused: .*\+select/)
      assert.deepStrictEqual(yield* keysOf(admin, 0), [])
      const { backend } = yield* makeRedisPrimitives({ client, timeout: "5 seconds" })
      yield* setUser(admin, "+select")
      yield* atLast(plant(backend, "k", write(backend, 1)))
      assert.deepStrictEqual(yield* keysOf(admin, 0), [])
      assert.isAbove((yield* keysOf(admin, 2)).length, 0)
      // Moved on by its owner, who is not let in there.
      yield* setUser(admin, "-select")
      yield* Effect.promise(() => client.select(4).catch(() => {}))
      assert.strictEqual(yield* reasonOf(backend.read("k")), "Unavailable")
    })
  )
})

logged("a client that was brought along and may not say HELLO is used as it is", (logs) =>
  Effect.gen(function*() {
    const server = yield* RedisServer.scoped({ args: ["--rename-command", "HELLO", "hidden"] })
    const client = yield* openClient({ port: server.port, protocol: 3, db: 2 })
    const { backend } = yield* makeRedisPrimitives({ client, durability: { replicas: 1, timeout: 50 } })
    yield* plant(backend, "k", write(backend, 1))
    assert.isAbove((yield* keysOf(client, 2)).length, 0)
    assert.strictEqual(yield* reasonOf(Effect.asVoid(backend.remove(["k"]))), "NotReplicated")
    assert.deepStrictEqual(warnings(logs), [])
  })
)

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
  logged("is warned about once, by its name", (logs) =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ args: ["--rename-command", "MGET", "hidden"] })
      const { nodes } = yield* openCommands({ port: server.port })
      const ask = Effect.callback<string>((resume) => {
        nodes.command("a", "read", "mget", ["a", "b"], null, (error) => resume(Effect.succeed(String(error?.message))))
      })
      for (let i = 0; i < 3; i++) assert.match(yield* ask, /unknown command/)
      assert.strictEqual(warnings(logs).length, 1)
      assert.match(warnings(logs)[0]!, /refuses MGET, which the cache needs: ERR unknown command/)
    })
  )

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
            yield* eventually(Effect.sync(() => warnings(logs).length > 0))
            const told = warnings(logs)
            assert.strictEqual(told.length, 1, `${command}: ${told.join("\n")}`)
            assert.match(told[0]!, new RegExp(`refuses ${command.toUpperCase()}, which the cache needs: `))
          }).pipe(Effect.provide(logs.layer), Effect.scoped)
        }
      })
    )
  )
})

describe("the database of a client that was brought along, or of one that answers past us", () => {
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
})
