/**
 * The servers: one in this process with the cache in its memory, or several processes that share a Redis.
 */
import { type ChildProcess, fork } from "node:child_process"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { Context, Data, Effect, Layer, type Scope } from "effect"
import { type CacheError, CacheLive, CacheMemory } from "effect-cache"
import type { HttpServerError } from "effect/http"
import { type NoRedis, temporaryRedis } from "../shared/temporaryRedis.ts"
import { layerParent, layerPostgres, type Postgres, serveChild } from "./database.ts"
import { layerServer, serverUrl } from "./server.ts"

export class FleetError extends Data.TaggedError("FleetError")<{ readonly message: string }> {}

export class Fleet extends Context.Service<
  Fleet,
  {
    readonly urls: ReadonlyArray<string>
    /** What it is, in words. */
    readonly description: string
  }
>()("city-atlas/Fleet") {
  static readonly layerEmbedded: Layer.Layer<Fleet, CacheError | HttpServerError.ServeError, Postgres> = Layer.effect(
    Fleet,
    Effect.map(serverUrl, (url) => ({ urls: [url], description: "one server, cache in its memory" }))
  ).pipe(
    Layer.provide(layerServer(CacheMemory.layer({ maxEntries: 50_000, maxBytes: "128 MiB" }))),
    Layer.provide(layerPostgres)
  )

  static readonly layerRedis = (size: number): Layer.Layer<Fleet, FleetError | NoRedis, Postgres> =>
    Layer.effect(
      Fleet,
      Effect.gen(function*() {
        const redisUrl = yield* temporaryRedis
        const urls = yield* Effect.all(
          Array.from({ length: size }, () => startChild(redisUrl)),
          { concurrency: size }
        )
        return { urls, description: `${size} server processes, cache in one Redis` }
      })
    )
}

/** The argument that makes `main.ts` a server process. */
export const serverFlag = "--server-process"

const kill = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Starts a server process; it ends with the scope. Gives the address it listens at. */
const startChild = (redisUrl: string): Effect.Effect<string, FleetError, Postgres | Scope.Scope> =>
  Effect.gen(function*() {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(fileURLToPath(new URL("./main.ts", import.meta.url)), [serverFlag], {
          env: {
            ...process.env,
            CACHE_BACKEND: "redis",
            REDIS_URL: redisUrl,
            CACHE_NAMESPACE: "city-atlas",
            // All of this shares a few cores, and a slow answer here is no reason to go without the cache.
            CACHE_TIMEOUT: "5 seconds"
          }
        })
      ),
      kill
    )
    yield* serveChild(child)
    return yield* Effect.callback<string, FleetError>((resume) => {
      const listening = (message: unknown) => {
        if (typeof message === "object" && message !== null && "url" in message)
          resume(Effect.succeed(String(message.url)))
      }
      child.on("message", listening)
      child.once("exit", (code) =>
        resume(Effect.fail(new FleetError({ message: `a server process ended with code ${code}` })))
      )
    })
  })

/** However the parent ends, its channel closes. After a SIGKILL nobody else would stop the temporary Redis either. */
const orphaned = () => {
  const { hostname, port } = new URL(process.env["REDIS_URL"] ?? "")
  connect(Number(port), hostname)
    .on("error", () => process.exit(0))
    .on("close", () => process.exit(0))
    .end("SHUTDOWN NOSAVE\r\n")
  setTimeout(() => process.exit(0), 1_000)
}

/** What a server process does: serve, on the database of its parent and the cache of `CacheLive`. */
export const serverProcess = Effect.gen(function*() {
  process.once("disconnect", orphaned)
  const url = yield* serverUrl
  process.send?.({ url })
  return yield* Effect.never
}).pipe(Effect.provide(layerServer(CacheLive).pipe(Layer.provide(layerParent))))
