/**
 * One load for a thousand callers, in one process and in four, and a holder that is killed.
 */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, Schema, type Scope } from "effect"
import { CacheMemory, stampedeProtect } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import type { ChildMessage, ChildOptions, Done } from "../support/stampedeChild.ts"

const server = sharedRedis()

/** Starts the children and waits until all are connected. */
const startChildren = (
  count: number,
  options: ChildOptions
): Effect.Effect<ReadonlyArray<ChildProcess>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() =>
      Promise.all(
        Array.from(
          { length: count },
          () =>
            new Promise<ChildProcess>((resolve, reject) => {
              const file = fileURLToPath(new URL("../support/stampedeChild.ts", import.meta.url))
              const child = fork(file, [JSON.stringify(options)], {
                execArgv: ["--conditions=effect-cache-source"],
                stdio: ["ignore", "inherit", "inherit", "ipc"]
              })
              child.once("error", reject)
              child.once("exit", (code) => reject(new Error(`a child ended with ${code}`)))
              child.once("message", () => resolve(child))
            })
        )
      )
    ),
    (children) => Effect.sync(() => children.map((child) => child.kill("SIGKILL")))
  )

/** Lets them all ask for the key. What each got, `undefined` for one that was killed; `onLoad` hears of loads. */
const race = (children: ReadonlyArray<ChildProcess>, key: string, onLoad: (child: ChildProcess) => void) =>
  Effect.promise(() =>
    Promise.all(
      children.map(
        (child) =>
          new Promise<Done | undefined>((resolve) => {
            child.on("message", (message: ChildMessage) => {
              if (message.type === "loading") onLoad(child)
              else if (message.type === "done") resolve(message)
            })
            child.once("exit", () => resolve(undefined))
            child.send(key)
          })
      )
    ).finally(() => {
      for (const child of children) child.removeAllListeners("message")
    })
  )

describe("stampedes", () => {
  for (const backend of ["memory", "redis"] as const) {
    it.live(`1,000 callers in one process are one load (${backend})`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { url } = yield* server
          const client = yield* buildClient(
            backend === "memory" ? CacheMemory.layer() : CacheRedis.layer({ url, namespace: freshNamespace() })
          )
          let loads = 0
          const get = stampedeProtect({ key: "hot", schema: Schema.Number, ttl: "5 minutes" })(
            Effect.suspend(() => Effect.as(Effect.sleep(50), ++loads))
          )
          const values = yield* client.run(
            Effect.all(
              Array.from({ length: 1000 }, () => get),
              { concurrency: "unbounded" }
            )
          )
          assert.deepStrictEqual(new Set(values), new Set([1]))
          assert.strictEqual(loads, 1)
          console.log(`1,000 callers in one process on ${backend}: ${loads} load`)
        })
      )
    )
  }

  it.live(
    "four processes that share a Redis, and a holder that is killed",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { url } = yield* server
          const lockMillis = 2000
          const options = { url, namespace: freshNamespace(), callers: 1000, loadMillis: 50, lockMillis }
          const children = yield* startChildren(4, options)
          let loads = 0
          const all = yield* race(children, "one", () => loads++)
          assert.strictEqual(new Set(all.flatMap((done) => done?.values ?? [])).size, 1)
          assert.strictEqual(all.filter((done) => done === undefined).length, 0)
          assert.strictEqual(loads, 1)
          console.log(`4 x 1,000 callers in four processes: ${loads} load`)

          loads = 0
          const survivors = yield* race(children, "two", (child) => {
            if (++loads === 1) child.kill("SIGKILL")
          })
          const alive = survivors.filter((done) => done !== undefined)
          assert.strictEqual(alive.length, 3)
          assert.strictEqual(new Set(alive.flatMap(({ values }) => values)).size, 1)
          assert.isAtMost(loads, 2)
          const slowest = Math.max(...alive.map(({ millis }) => millis))
          // A busy host may keep a process from running: that is no time of the protocol.
          for (const { lagMillis, millis } of alive) assert.isAtMost(millis - lagMillis, lockMillis + 1000)
          console.log(
            `4 x 1,000 callers, holder killed: ${loads} loads, the slowest caller waited ` +
              `${Math.round(slowest)} ms with a lock TTL of ${lockMillis} ms`
          )
        })
      ),
    90_000
  )
})
