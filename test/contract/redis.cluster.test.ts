/**
 * The conformance kit on a real Redis Cluster, as a user with no more rights than it needs.
 */
import { Context, Effect, Layer, ManagedRuntime } from "effect"
import { afterAll } from "vitest"
import { conformance, redisStore } from "./conformance.ts"
import { cacheCommands, cacheUser, clusterCommands, leastPrivilege, operator } from "../support/acl.ts"
import { RedisCluster, type RunningCluster } from "../support/redisCluster.ts"
import { session } from "../support/topology.ts"

class Shared extends Context.Service<Shared, RunningCluster>()("effect-cache/test/ClusterUnderAcl") {}
const acl = leastPrivilege("under*", [...cacheCommands, ...clusterCommands])
const runtime = ManagedRuntime.make(Layer.orDie(Layer.effect(Shared, RedisCluster.scoped({ acl }))))
afterAll(() => runtime.dispose())

const store = redisStore(
  Effect.promise(async () => {
    const cluster = await runtime.runPromise(Shared)
    return {
      options: { url: cluster.url, namespace: "under", ...cacheUser },
      del: (name) =>
        Effect.flatMap(cluster.primaryOf(name), (node) =>
          Effect.promise(() => session(node, operator, (redis) => redis.del(name)))
        )
    }
  })
)

conformance("Redis Cluster under its ACL", store, [
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
