/**
 * What does not fit is named: one connection too many for the server, and values that are too large for the deadline.
 */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import type { RedisOptions } from "../../../src/stores/redis/options/options.ts"
import { type Answer, handshake, HostileRedis, isHandshake } from "../../security/hostileRedis.ts"
import { cacheRules, cacheUser, operator } from "../../support/acl.ts"
import { write } from "../../support/primitives.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { eventually, logged, type Logs, openClient, reasonOf, said } from "./support.ts"

const warnings = (logs: Logs) => said(logs, "Warn")

describe("a server that takes no more clients", () => {
  const full = /takes no more clients: ERR max number of clients reached; raise its maxclients/

  const ways: ReadonlyArray<readonly [name: string, options: RedisOptions]> = [
    ["as it is", {}],
    ["with a user", cacheUser],
    ["with a database", { ...cacheUser, db: 1 }]
  ]
  for (const [name, options] of ways) {
    logged(`is named, and used when it takes some: ${name}`, (logs) =>
      Effect.gen(function*() {
        const secret = options.username !== undefined
        const server = yield* RedisServer.scoped({
          args: ["--maxclients", "1"],
          ...(secret
            ? {
                acl: [
                  `user ${operator.username} on >${operator.password} ~* &* +@all`,
                  `user ${cacheUser.username} ${cacheRules("ec").join(" ")}`
                ]
              }
            : {})
        })
        const admin = yield* openClient({ port: server.port, ...(secret ? operator : {}) })
        const { backend } = yield* makeRedisPrimitives({ port: server.port, ...options })
        yield* eventually(Effect.sync(() => warnings(logs).some((line) => full.test(line))))
        const error = yield* Effect.flip(backend.read("k"))
        assert.strictEqual(error.reason._tag, "Unavailable")
        // Seldom the reset comes first, and that is an outage already.
        assert.isAtMost(warnings(logs).length, 2)
        assert.strictEqual(warnings(logs).filter((line) => full.test(line)).length, 1)
        yield* Effect.promise(() => admin.config("SET", "maxclients", 2))
        yield* eventually(Effect.isSuccess(backend.read("k")))
        // The next one is that for hints.
        yield* Effect.forkScoped(backend.awaitRelease("k", "a"), { startImmediately: true })
        const hints = () => warnings(logs).filter((line) => line.includes("sends no hints"))
        yield* eventually(Effect.sync(() => hints().length > 0))
        assert.match(hints().join("\n"), full)
      })
    )
  }
})

/** Answers in order, but what is asked for last only when the next command comes. */
const late = (answer: Answer): Answer => {
  let owed = ""
  return (command) => {
    if (isHandshake(command)) return handshake(command)
    const before = owed
    owed = ""
    const [now = "", then = ""] = String(answer(command)).split("|")
    owed = then
    return before + now
  }
}

const MiB = 1_048_576

const noop = () => undefined

describe("a value that is too large for the deadline", () => {
  const fill = (bytes: number) => `x`.repeat(bytes)

  const fills: ReadonlyArray<readonly [what: string, bytes: number, times: number, warned: number]> = [
    ["is named when it happens again, once a minute", MiB, 4, 1],
    ["is not named when it happens once", MiB, 1, 0],
    ["is not named when it is small", 1000, 4, 0]
  ]
  for (const [what, bytes, times, warned] of fills) {
    logged(`of a fill ${what}`, (logs) =>
      Effect.gen(function*() {
        const { port } = yield* HostileRedis.scoped(
          late(([name]) => (name === "eval" || name === "evalsha" ? "|:1\r\n" : "$-1\r\n"))
        )
        const { backend } = yield* makeRedisPrimitives({ port, timeout: 100, compressionThreshold: false })
        for (let i = 0; i < times; i++) {
          yield* eventually(Effect.isSuccess(backend.read("k")))
          assert.strictEqual(
            yield* reasonOf(backend.fill("page:7", "a", write(backend, fill(bytes)), "keep", noop)),
            "TimedOut"
          )
        }
        yield* eventually(Effect.isSuccess(backend.read("k")))
        assert.strictEqual(warnings(logs).length, warned, warnings(logs).join("\n"))
        for (const line of warnings(logs)) {
          assert.match(
            line,
            /a value of 1\.0 MiB was not stored within its deadline of 100 ms, and not for the first time/
          )
          assert.include(line, "(ec:e:{page:…})")
          assert.include(line, "raise timeout, or store less under one key")
        }
      })
    )
  }

  const half = "y".repeat(300_000)
  const reads: ReadonlyArray<readonly [what: string, reply: string, warned: number]> = [
    ["is named when it happens again, once a minute", `$${2 * half.length}\r\n${half}|${half}\r\n`, 1],
    ["is not named when nothing of it has come", "|$1\r\n1\r\n", 0]
  ]
  for (const [what, reply, warned] of reads) {
    logged(`of a read ${what}`, (logs) =>
      Effect.gen(function*() {
        const { port } = yield* HostileRedis.scoped(
          late(([name, key]) => (name === "get" && key!.includes("page") ? reply : "$-1\r\n"))
        )
        const { backend } = yield* makeRedisPrimitives({ port, timeout: 100 })
        for (let i = 0; i < 4; i++) {
          yield* eventually(Effect.isSuccess(backend.read("k")))
          assert.strictEqual(yield* reasonOf(backend.read("page:7")), "TimedOut")
        }
        yield* eventually(Effect.isSuccess(backend.read("k")))
        assert.strictEqual(warnings(logs).length, warned, warnings(logs).join("\n"))
        for (const line of warnings(logs)) {
          assert.match(line, /after its deadline of 100 ms a read is still arriving, 0\.[23] MiB so far/)
          assert.include(line, "(ec:e:{page:…})")
        }
      })
    )
  }
})
