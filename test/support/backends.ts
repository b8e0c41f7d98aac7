/** The two stores behind what is tested as a whole: a layer each time, over one Redis for a file of tests. */
import { Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import { CacheMemory } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { freshNamespace } from "./client.ts"
import { RedisServer } from "./redisServer.ts"

/** To be called where tests are declared: the server ends with them. */
export const makeBackends = () => {
  const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer()))
  afterAll(() => runtime.dispose())
  const server = Effect.promise(() => runtime.runPromise(RedisServer))
  return {
    memory: () => CacheMemory.layer(),
    Redis: () =>
      Layer.unwrap(
        Effect.map(server, ({ url }) => CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "5 seconds" }))
      )
  }
}
