/**
 * The contract suites over a real Redis.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime } from "effect"
import { TestClock } from "effect/testing"
import { afterAll } from "vitest"
import { makeRedisPrimitives } from "../../src/layers/CacheRedis/primitives.ts"
import { suite as backendSuite } from "../services/CacheBackend.suite.ts"
import { suite as lockSuite } from "../services/LockStore.suite.ts"
import type { Primitives, SuiteOptions } from "../services/primitives.ts"
import { suite as tagSuite } from "../services/TagIndex.suite.ts"
import { RedisServer } from "../support/redisServer.ts"

const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer()))
afterAll(() => runtime.dispose())

let stores = 0
const namespaces = new WeakMap<object, string>()
const makePrimitives = Effect.gen(function*() {
  const server = yield* Effect.promise(() => runtime.runPromise(RedisServer))
  // Namespaces that share beginnings, so that a sloppy glob would reach into another.
  const namespace = `ns${"x".repeat(stores % 3)}:${stores++}`
  const primitives = yield* makeRedisPrimitives({ url: server.url, namespace, timeout: "30 seconds" })
  namespaces.set(primitives.tags, namespace)
  return primitives
})

const lose = (primitives: Primitives, name: string) =>
  Effect.promise(async () => {
    const namespace = namespaces.get(primitives.tags)
    assert.match(
      await runtime.runPromise(RedisServer.use((server) => server.raw("DEL", `${namespace}:${name}`))),
      /^:1/
    )
  })

const options: SuiteOptions = {
  // Redis has a clock of its own.
  advance: (millis) => TestClock.withLive(Effect.sleep(millis)),
  evict: {
    marker: (primitives, tag) => lose(primitives, `t:${tag}`),
    epoch: (primitives) => lose(primitives, "epoch")
  }
}

backendSuite("Redis", makePrimitives, options)
tagSuite("Redis", makePrimitives, options)
lockSuite("Redis", makePrimitives, options)
