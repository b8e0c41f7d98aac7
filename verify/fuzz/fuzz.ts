/**
 * The fuzzers and the stores they run on.
 */
import { Effect, type Scope } from "effect"
import { Redis } from "ioredis"
import { type CacheError, CacheLayer } from "../../src/index.ts"
import { makeNames } from "../../src/stores/redis/commands.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import type { RunningRedis } from "../../test/support/redisServer.ts"
import { epoch, makeBytesBackend } from "../../test/support/bytesBackend.ts"
import { fuzzEntries, markers } from "./fuzzEntries.ts"
import { fuzzHttp } from "./fuzzHttp.ts"
import type { FuzzReport } from "./report.ts"
import { diceOf } from "../../test/support/dice.ts"

export type Fuzz = (seed: number, inputs: number) => Effect.Effect<FuzzReport, CacheError, Scope.Scope>

/** Stored bytes, in a store in this process. */
export const entriesInProcess: Fuzz = (seed, inputs) =>
  Effect.gen(function*() {
    const store = yield* makeBytesBackend
    for (const [tag, marker] of Object.entries(markers)) store.markers.set(tag, marker)
    const plant = (planted: ReadonlyArray<readonly [string, Uint8Array]>) =>
      Effect.sync(() => {
        for (const [key, bytes] of planted) store.entries.set(key, bytes)
      })
    const layer = CacheLayer.make(Effect.succeed(store.primitives))
    return yield* Effect.provide(fuzzEntries({ plant, batch: 64 }, diceOf(seed), inputs), layer)
  })

/** Stored bytes, in a real Redis. */
export const entriesOnRedis =
  (server: RunningRedis): Fuzz =>
  (seed, inputs) =>
    Effect.gen(function*() {
      const admin = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis({ host: server.host, port: server.port, protocol: 2, replyMapping: "legacy" })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const namespace = `fuzz${seed}`
      const names = makeNames(namespace)
      const layer = CacheRedis.layer({ url: server.url, namespace, timeout: "30 seconds" })
      yield* Effect.promise(() => admin.set(names.epoch, epoch))
      for (const [tag, marker] of Object.entries(markers)) {
        yield* Effect.promise(() => admin.set(names.marker(tag), marker))
      }
      const plant = (planted: ReadonlyArray<readonly [string, Uint8Array]>) =>
        Effect.promise(async () => {
          const pipeline = admin.pipeline()
          for (const [key, bytes] of planted) pipeline.set(names.entry(key), Buffer.from(bytes))
          await pipeline.exec()
        })
      return yield* Effect.provide(fuzzEntries({ plant, batch: 256 }, diceOf(seed), inputs), layer)
    })

/** Requests, and stored responses. */
export const http: Fuzz = (seed, inputs) =>
  Effect.gen(function*() {
    const store = yield* makeBytesBackend
    const layer = CacheLayer.make(Effect.succeed(store.primitives))
    return yield* Effect.provide(fuzzHttp(store.entries, diceOf(seed), inputs), layer)
  })
