/**
 * The conformance kit on a real Redis behind Sentinel, as a user with no more rights than it needs.
 */
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import { conformance, redisStore } from "./conformance.ts"
import { cacheUser, leastPrivilege, operator } from "../support/acl.ts"
import { RedisSentinel, type RunningSentinel } from "../support/redisSentinel.ts"
import { session } from "../support/topology.ts"

class Shared extends Context.Service<Shared, RunningSentinel>()("effect-cache/test/SentinelUnderAcl") {}
const acl = leastPrivilege("under*")
const runtime = ManagedRuntime.make(Layer.orDie(Layer.effect(Shared, RedisSentinel.scoped({ acl }))))
afterAll(() => runtime.dispose())

const store = redisStore(
  Effect.promise(async () => {
    const sentinel = await runtime.runPromise(Shared)
    return {
      options: { url: sentinel.url, namespace: "under", ...cacheUser },
      del: (name) =>
        Effect.flatMap(sentinel.primary, (node) =>
          Effect.promise(() => session(node, operator, (redis) => redis.del(name)))
        )
    }
  })
)

conformance("Redis behind Sentinel under its ACL", store, [
  "CacheBackend",
  "TagIndex",
  "LockStore",
  "fastPath",
  "hints",
  "intents",
  "evictions",
  "protocol",
  "sharing"
])
