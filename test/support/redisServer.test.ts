import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RedisServer } from "./redisServer.ts"

describe("RedisServer", () => {
  it.live("starts, stops, starts again on the same port, and ends with the scope", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.scoped(
        Effect.gen(function*() {
          const server = yield* RedisServer.scoped()
          assert.match(yield* server.raw("SET", "a", "1"), /^\+OK/)
          yield* server.stop
          assert.isTrue((yield* Effect.result(server.raw("PING")))._tag === "Failure")
          yield* server.start
          assert.match(yield* server.raw("GET", "a"), /^\$-1/)
          return server.pid()!
        })
      )
      assert.throws(() => process.kill(pid, 0))
    })
  )

  it.live("serves TLS, passwords and ACL", () =>
    Effect.gen(function*() {
      const secure = yield* RedisServer.scoped({ tls: true })
      assert.match(yield* secure.raw("PING"), /^\+PONG/)
      const guarded = yield* RedisServer.scoped({ requirepass: "hush" })
      assert.match(yield* guarded.raw("PING"), /^-NOAUTH/)
    })
  )
})
