import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Redacted } from "effect"
import { CacheConfig, getCacheStats, CacheLive } from "effect-cache"

const read = (env: Record<string, string>) =>
  Effect.suspend(() => CacheConfig.environment).pipe(
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
  )

const message = (env: Record<string, string>) =>
  Effect.map(Effect.flip(read(env)), (error) => {
    assert.instanceOf(error, Config.ConfigError)
    return error.message
  })

describe("the environment", () => {
  it.effect("has defaults", () =>
    Effect.gen(function*() {
      const found = yield* read({})
      assert.strictEqual(found.backend, "redis")
      assert.strictEqual(Redacted.value(found.redisUrl), "redis://localhost:6379/0")
      assert.strictEqual(Duration.toMillis(found.defaultTtl), 300_000)
      assert.strictEqual(Duration.toMillis(found.lockTtl), 5_000)
      assert.deepStrictEqual(found.sweepInterval, Duration.seconds(10))
      assert.strictEqual(Duration.toMillis(found.timeout), 1_000)
      assert.isUndefined(found.pingInterval)
      assert.strictEqual(found.namespace, "ec")
      assert.strictEqual(found.memoryMaxEntries, 10_000)
      assert.strictEqual(found.memoryMaxBytes, 64 * 1024 * 1024)
    })
  )

  it.effect("takes durations, of a TTL also seconds, and an empty variable for none", () =>
    Effect.gen(function*() {
      const found = yield* read({
        CACHE_DEFAULT_TTL: "90",
        CACHE_LOCK_TTL: "2 minutes",
        CACHE_SWEEP_INTERVAL: "1 second",
        CACHE_TIMEOUT: " 0.25  seconds\n",
        CACHE_PING_INTERVAL: "1 minute",
        CACHE_BACKEND: "",
        CACHE_MEMORY_MAX_MB: " 1.5 ",
        CACHE_NAMESPACE: "shop:v2"
      })
      assert.strictEqual(Duration.toMillis(found.defaultTtl), 90_000)
      assert.strictEqual(Duration.toMillis(found.lockTtl), 120_000)
      assert.deepStrictEqual(found.sweepInterval, Duration.seconds(1))
      assert.isFalse((yield* read({ CACHE_SWEEP_INTERVAL: " off " })).sweepInterval)
      assert.strictEqual(Duration.toMillis(found.timeout), 250)
      assert.deepStrictEqual(found.pingInterval, Duration.minutes(1))
      assert.strictEqual(found.backend, "redis")
      assert.strictEqual(found.memoryMaxBytes, 1.5 * 1024 * 1024)
      assert.strictEqual(found.namespace, "shop:v2")
    })
  )

  it.effect("names every bad variable at once, what it held, and what is expected", () =>
    Effect.gen(function*() {
      const text = yield* message({
        CACHE_BACKEND: "mongo",
        REDIS_URL: "http://user:hunter2@host/0",
        CACHE_DEFAULT_TTL: "0",
        CACHE_NAMESPACE: "a{b}",
        CACHE_MEMORY_MAX_ENTRIES: "1.5",
        CACHE_MEMORY_MAX_MB: "-1",
        CACHE_TIMEOUT: "soon",
        CACHE_LOCK_TTL: "-3 seconds"
      })
      for (const part of [
        'CACHE_BACKEND is "mongo", expected "redis", "memory" or "none"',
        'REDIS_URL is "http://<redacted>@host"',
        'CACHE_DEFAULT_TTL is "0"',
        'CACHE_NAMESPACE is "a{b}"',
        'CACHE_MEMORY_MAX_ENTRIES is "1.5", expected a whole number of at least 1',
        'CACHE_MEMORY_MAX_MB is "-1"',
        'CACHE_TIMEOUT is "soon", expected a duration with its unit, such as 500 millis, up to an hour',
        'CACHE_LOCK_TTL is "-3 seconds", expected a duration with its unit, such as 30 seconds, from 10 millis to a day'
      ])
        assert.include(text, part)
      assert.notInclude(text, "hunter2")
    })
  )

  it.effect("refuses a bare number that may be seconds or milliseconds, and spells out what it may mean", () =>
    Effect.gen(function*() {
      const meant = {
        "250": '"250 millis" or "250 seconds"',
        "0.25": '"0.25 seconds"',
        " 1.5 ": '"1.5 millis" or "1.5 seconds"',
        // 5,000 seconds are more than an hour.
        "5000": '"5000 millis"'
      }
      for (const [text, both] of Object.entries(meant)) {
        const said = `CACHE_TIMEOUT is ${JSON.stringify(text.trim())}, expected ${both}: a number needs its unit here`
        assert.include(yield* message({ CACHE_TIMEOUT: text }), said)
      }
      // A lease of less than 10 milliseconds is refused anyhow.
      assert.include(yield* message({ CACHE_LOCK_TTL: "5" }), 'CACHE_LOCK_TTL is "5", expected "5 seconds": a number')
      assert.include(yield* message({ CACHE_LOCK_TTL: "30" }), 'expected "30 millis" or "30 seconds": a number')
      assert.strictEqual(Duration.toMillis((yield* read({ CACHE_DEFAULT_TTL: "250" })).defaultTtl), 250_000)
    })
  )

  it.effect("refuses a duration that is none, and says little of a long one", () =>
    Effect.gen(function*() {
      const bad = ["0", "-0", "-250", "+250", "1e3", "0x10", ".5", "5.", "1_000", "1,5", "١٢", "Infinity", "-Infinity"]
      bad.push("NaN", "0 seconds", "-1 seconds", "2minutes", "250ms", "PT1S", "1 seconds 2", "seconds", "9".repeat(40))
      bad.push(
        "0".repeat(100_000) + "250",
        `0.${"1".repeat(1_000_000)} seconds`,
        "\u0000",
        "250 seconds; CACHE_BACKEND=x"
      )
      for (const name of ["CACHE_TIMEOUT", "CACHE_LOCK_TTL", "CACHE_PING_INTERVAL", "CACHE_SWEEP_INTERVAL"]) {
        for (const text of bad) {
          const said = yield* message({ [name]: text })
          assert.include(said, `${name} is `)
          assert.include(said, "expected a duration with its unit, such as ")
          assert.isBelow(said.length, 400)
        }
        // Spaces alone are an empty variable.
        for (const text of ["", "  ", "\t"]) assert.deepStrictEqual(yield* read({ [name]: text }), yield* read({}))
      }
      for (const text of ["0", "-1", "soon", "-Infinity", "0.0001", `${"9".repeat(100)}`]) {
        assert.include(yield* message({ CACHE_DEFAULT_TTL: text }), "expected seconds, or a duration such as 5 minutes")
      }
    })
  )

  it.effect("shows nothing of a URL that cannot be parsed", () =>
    Effect.gen(function*() {
      const urls = [
        "redis//:hunter2@@@",
        "redis:hunter2@db:6379",
        "admin:hunter2@db:6379/0",
        "redis:/:hunter2@db",
        "redis://db:6379/hunter2",
        "hunter2://db"
      ]
      for (const url of urls) assert.notInclude(yield* message({ REDIS_URL: url }), "hunter2")
    })
  )

  it.effect("says of a password that is not percent-encoded what to do, and shows nothing of it", () =>
    Effect.gen(function*() {
      const urls = [
        "redis://:hunter2/x@db:6379/0",
        "redis://app:hunter2?x@db",
        "rediss://app:hunter2#x@db/0",
        // So far it would be a host and a port, or a host.
        "redis://hunter2:123/x@db",
        "redis://app-hunter2:123?x@db",
        "redis://hunter2/3@db",
        "redis://app:hunter2%x@db",
        "redis+cluster://app:hunter2/x@a,b",
        "redis+sentinel://hunter2:12/x@a/main",
        "redis+sentinel://hunter2/x@a"
      ]
      for (const url of urls) {
        const said = yield* message({ REDIS_URL: url })
        assert.include(said, 'percent-encode user and password: "/" is %2F')
        assert.notInclude(said, "hunter2")
      }
      const encoded = `redis://app:${encodeURIComponent("p/?#@%[]:s")}@db:6379/1`
      assert.strictEqual(Redacted.value((yield* read({ REDIS_URL: encoded })).redisUrl), encoded)
      assert.notInclude(yield* message({ REDIS_URL: "redis://db/x" }), "percent-encode")
    })
  )

  it.effect("refuses what a layer would refuse later", () =>
    Effect.gen(function*() {
      const bad = {
        CACHE_LOCK_TTL: "1 millis",
        CACHE_TIMEOUT: "Infinity",
        CACHE_PING_INTERVAL: "99 millis",
        CACHE_MEMORY_MAX_MB: "9".repeat(30),
        CACHE_NAMESPACE: "a:t"
      }
      for (const [name, value] of Object.entries(bad)) assert.include(yield* message({ [name]: value }), name)
      assert.include(yield* message({ CACHE_LOCK_TTL: "Infinity" }), "CACHE_LOCK_TTL")
      assert.include(yield* message({ REDIS_URL: `redis://db/${"9".repeat(20)}` }), "REDIS_URL")
    })
  )

  it.effect("takes URLs of clusters and sentinels", () =>
    Effect.gen(function*() {
      const good = [
        "redis+cluster://a:6379,b:6380,[::1]:6381",
        "rediss+cluster://user:p,ss@a,b/",
        "redis+sentinel://:pw@a:26379,b/main/2",
        "redis+sentinel://a/main",
        "redis://[::1]:6379/0",
        "redis+sentinel://:pw@[::1]:26379,[::2]/main"
      ]
      for (const url of good) assert.strictEqual(Redacted.value((yield* read({ REDIS_URL: url })).redisUrl), url)
      const bad = ["redis+cluster://u:hunter2@a,b/3", "redis+sentinel://u:hunter2@a,b", "redis+x://u:hunter2@a"]
      for (const url of bad) assert.notInclude(yield* message({ REDIS_URL: url }), "hunter2")
    })
  )

  it.effect("accepts no infinite or absurd numbers", () =>
    Effect.gen(function*() {
      for (const bad of ["Infinity", "1e999", "NaN", "0x10", "١٢"]) {
        assert.include(yield* message({ CACHE_MEMORY_MAX_ENTRIES: bad }), "CACHE_MEMORY_MAX_ENTRIES")
      }
    })
  )

  it.effect("bad values fail CacheLive", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        getCacheStats.pipe(
          Effect.provide(
            CacheLive.pipe(
              Layer.provide(
                ConfigProvider.layer(ConfigProvider.fromEnvRecord({ CACHE_BACKEND: "x", CACHE_TIMEOUT: "x" }))
              )
            )
          )
        )
      )
      assert.include(String(error), "CACHE_TIMEOUT")
    })
  )
})

describe("CacheConfig", () => {
  it.effect("refuses what is out of range", () =>
    Effect.gen(function*() {
      for (const bad of [
        { defaultTtl: 0 },
        { lockTtl: "-1 second" as const },
        { sweepInterval: 0 },
        { sweepInterval: "99 millis" as const },
        { sweepInterval: "25 hours" as const },
        { localMaxEntries: 0 },
        { localMaxEntries: 1.5 }
      ]) {
        const error = yield* Effect.flip(CacheConfig.make(bad))
        assert.strictEqual(error.reason._tag, "InvalidOption")
        assert.include(error.message, Object.keys(bad)[0]!)
      }
      assert.isFalse((yield* CacheConfig.make({ sweepInterval: false })).sweepInterval)
    })
  )
})
