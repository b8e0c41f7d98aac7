/**
 * The cache of the examples: `CacheLive`, as a service would use it, with two differences. Without `CACHE_BACKEND` it
 * is the memory of this process, so that an example needs nothing installed; and it starts empty, in a namespace of its
 * own, so that each run prints the same.
 */
import { basename } from "node:path"
import { ConfigProvider, Layer } from "effect"
import { CacheClient, CacheLive } from "effect-cache"

const settings = ConfigProvider.fromUnknown({
  // Whatever the environment says: this namespace is emptied, so it must not be one that somebody uses.
  CACHE_NAMESPACE: `examples:${basename(process.argv[1] ?? "example", ".ts")}`
}).pipe(
  ConfigProvider.orElse(ConfigProvider.fromEnv()),
  ConfigProvider.orElse(ConfigProvider.fromUnknown({ CACHE_BACKEND: "memory" }))
)

export const ExampleCache = Layer.effectDiscard(CacheClient.use((cache) => cache.clear)).pipe(
  Layer.provideMerge(CacheLive),
  Layer.provide(ConfigProvider.layer(settings))
)
