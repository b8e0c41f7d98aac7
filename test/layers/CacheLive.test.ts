import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import { ConfigProvider, Effect, Logger, Schema } from "effect"
import { cacheAside, CacheLive, getCacheStats, invalidateKey } from "effect-cache"

/** A port of this host where nobody listens. */
const closedPort = Effect.promise(
  () =>
    new Promise<number>((resolve, reject) => {
      const server = createServer()
      server.once("error", reject)
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        server.close(() => resolve(port))
      })
    })
)

it.live("without Redis it warns once, never says the password, and carries on", () =>
  Effect.gen(function*() {
    const port = yield* closedPort
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel} ${JSON.stringify(message)}`)
    })
    const environment = ConfigProvider.layer(
      ConfigProvider.fromUnknown({ REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` })
    )
    let loads = 0
    const get = cacheAside({ key: "n:{id}", schema: Schema.Number })(({ id }: { readonly id: number }) =>
      Effect.sync(() => {
        loads++
        return id
      })
    )
    const program = Effect.gen(function*() {
      for (let i = 0; i < 50; i++) assert.strictEqual(yield* get({ id: i % 5 }), i % 5)
      const error = yield* Effect.flip(invalidateKey("n:1"))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
      const { breaker, unavailable } = yield* getCacheStats
      assert.deepStrictEqual(breaker, { state: "away", journal: 1 })
      assert.strictEqual(unavailable?.reason._tag, "Unavailable")
      assert.notInclude(JSON.stringify(unavailable) + unavailable!.message, "hunter2")
    })
    yield* program.pipe(Effect.provide(CacheLive), Effect.provide(environment), Effect.provide(Logger.layer([logger])))
    assert.isAtMost(loads, 6)
    assert.strictEqual(lines.filter((line) => line.startsWith("Warn")).length, 1, lines.join("\n"))
    assert.notInclude(lines.join("\n"), "hunter2")
  })
)

it.effect("memory, when the environment says so", () =>
  Effect.gen(function*() {
    const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CACHE_BACKEND: "memory" }))
    const stats = yield* getCacheStats.pipe(Effect.provide(CacheLive), Effect.provide(environment))
    assert.strictEqual(stats.backend, "memory")
  })
)
