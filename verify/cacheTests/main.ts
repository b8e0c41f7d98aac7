/**
 * `npm run test:cache-tests`: the suite http-tests/cache-tests against a reverse proxy made of `cachedResponse` (that of
 * `examples/reverse-proxy/`). The suite is not part of this repository; without it, the program says how to get it.
 *
 * Exit code 1: a required test fails that is not in `expected.ts`, or one passes that is.
 */
import { createServer } from "node:http"
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Result } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { reverseProxy } from "../../examples/reverse-proxy/proxy.ts"
import { CacheMemory } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { RedisServer } from "../../test/support/redisServer.ts"
import { expected } from "./expected.ts"
import { describeReport, reportOf } from "./report.ts"
import { loadSuite, runAll, startOrigin, tellOne } from "./suite.ts"

const usage = `npm run test:cache-tests -- [options]

  --suite .tmp/cache-tests   where the suite is; CACHE_TESTS says it too
  --redis                    on a Redis that it starts, not in memory
  --id <test>                one test, told request by request
  --all                      what is not optimal, too
  --json <file>              what the suite's client wrote, as its site takes it`

const options = {
  suite: { type: "string", default: process.env["CACHE_TESTS"] ?? ".tmp/cache-tests" },
  redis: { type: "boolean", default: false },
  id: { type: "string" },
  all: { type: "boolean", default: false },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false }
} as const

const parsed = Result.try(() => parseArgs({ options }).values)
if (Result.isFailure(parsed) || parsed.success.help) {
  console.log(usage)
  process.exit(Result.isFailure(parsed) ? 2 : 0)
}
const { all, id, json, redis, suite: folder } = parsed.success

const cache = redis
  ? Layer.unwrap(Effect.map(RedisServer.scoped(), ({ url }) => CacheRedis.layer({ url, timeout: "5 seconds" })))
  : CacheMemory.layer()

/** The proxy on a free port, until the scope closes. */
const startProxy = (origin: string) =>
  Effect.gen(function*() {
    const routes = reverseProxy({ origin, ignoreCookies: true }).pipe(
      HttpRouter.provideRequest(Layer.merge(cache, NodeHttpClient.layerUndici))
    )
    const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
    const { address } = Context.get(yield* Layer.build(server), HttpServer.HttpServer)
    return `http://127.0.0.1:${address._tag === "UnixPathAddress" ? 0 : address.port}`
  })

const program = Effect.gen(function*() {
  const suite = yield* loadSuite(folder)
  const base = yield* startProxy(yield* startOrigin(suite, id !== undefined))
  if (id !== undefined) {
    console.log(yield* tellOne(suite, base, id))
    return 0
  }
  const results = yield* runAll(suite, base)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`)
  const report = reportOf(suite, results, expected)
  console.log(describeReport(report, expected, all))
  return report.unexpected.length + report.passing.length === 0 ? 0 : 1
})

const told = (message: string) => {
  console.error(message)
  return 1
}
process.exit(
  await Effect.runPromise(
    Effect.scoped(program).pipe(Effect.catchTag("SuiteError", ({ message }) => Effect.sync(() => told(message))))
  )
)
