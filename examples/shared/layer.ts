/**
 * The cache of the examples: `CacheLive`, as a service would use it, with two differences. Without `CACHE_BACKEND` it is
 * the memory of this process, so that an example needs nothing installed; and it starts empty, so that each run prints
 * the same.
 */
import { basename } from "node:path"
import { ConfigProvider, Layer } from "effect"
import { CacheClient, CacheLive } from "effect-cache"

const settings = ConfigProvider.fromEnv().pipe(
  ConfigProvider.orElse(
    ConfigProvider.fromUnknown({
      CACHE_BACKEND: "memory",
      // One namespace for each example: emptying it touches nothing else in a shared Redis.
      CACHE_NAMESPACE: `examples:${basename(process.argv[1] ?? "example", ".ts")}`
    })
  )
)

export const ExampleCache = Layer.effectDiscard(CacheClient.use((cache) => cache.clear)).pipe(
  Layer.provideMerge(CacheLive),
  Layer.provide(ConfigProvider.layer(settings))
)
