/**
 * A process of the stampede test: told a key, it calls the protected load of that key many times at once, and tells its
 * parent of each load that begins, and of the values it got.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { Effect, ManagedRuntime, Schema } from "effect"
import { stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"

export interface ChildOptions {
  readonly url: string
  readonly namespace: string
  readonly callers: number
  readonly loadMillis: number
  readonly lockMillis: number
}

export interface Done {
  readonly type: "done"
  readonly values: ReadonlyArray<number>
  /** Until the slowest caller had its value. */
  readonly millis: number
  /** The longest that this process was kept from running meanwhile. */
  readonly lagMillis: number
}

export type ChildMessage = { readonly type: "ready" } | { readonly type: "loading" } | Done

const options = JSON.parse(process.argv[2]!) as ChildOptions
const send = (message: ChildMessage) => process.send!(message)

const runtime = ManagedRuntime.make(
  CacheRedis.layer({ url: options.url, namespace: options.namespace, timeout: "5 seconds" })
)
const load = Effect.suspend(() => {
  send({ type: "loading" })
  return Effect.as(Effect.sleep(options.loadMillis), process.pid)
})
const protectedLoad = stampedeProtect({
  key: "hot:{key}",
  schema: Schema.Number,
  ttl: "5 minutes",
  lockTtl: options.lockMillis
})((_: { readonly key: string }) => load)

process.on("message", (key: string) => {
  const startedAt = performance.now()
  const lag = monitorEventLoopDelay({ resolution: 10 })
  lag.enable()
  const all = Effect.all(
    Array.from({ length: options.callers }, () => protectedLoad({ key })),
    { concurrency: "unbounded" }
  )
  void runtime.runPromise(all).then((values) => {
    lag.disable()
    send({
      type: "done",
      values: [...new Set(values)],
      millis: performance.now() - startedAt,
      lagMillis: lag.max / 1e6
    })
  })
})
// Connected, before the race begins.
const warm = stampedeProtect({ key: `warm:${process.pid}`, schema: Schema.Number })(Effect.succeed(0))
void runtime.runPromise(warm).then(() => send({ type: "ready" }))
// A parent that is gone must not leave this behind.
process.on("disconnect", () => process.exit(0))
