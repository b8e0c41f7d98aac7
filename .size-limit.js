/**
 * The sizes of the entry points: minified, compressed with brotli, without `effect` and ioredis. `npm run size`.
 */
const entry = (name, path, limit) => ({
  name,
  path,
  limit,
  ignore: ["effect", "ioredis"],
  modifyEsbuildConfig: (config) => ({
    ...config,
    platform: "node",
    conditions: ["effect-cache-source"],
    // The root entry reaches the Redis layer by a lazy import, which is no part of it.
    external: [...(config.external ?? []), "effect/*", "#redis"]
  })
})

export default [
  entry("effect-cache", "src/index.ts", "61.5 kB"),
  entry("effect-cache/redis", "src/redis/index.ts", "80 kB"),
  entry("effect-cache/http", "src/http/index.ts", "26 kB"),
  entry("effect-cache/testing", "src/testing/index.ts", "80 kB")
]
