/**
 * Settings of the runtime: those every client has (`CacheConfig`), and those `CacheLive` reads from the environment
 * (`environment`).
 */
import { Config, ConfigProvider, Context, Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import type { CacheError } from "./CacheError.ts"
import { describe } from "./internal/invalidOption.ts"
import { knownOptions, type Names } from "./internal/knownOptions.ts"
import {
  checked,
  leaseMillis,
  listed,
  maxLeaseMillis,
  minLeaseMillis,
  maxPingMillis,
  maxSweepMillis,
  minPingMillis,
  minSweepMillis,
  percentEncode,
  positiveMillis,
  seemsUnencoded,
  sweepMillis,
  wholeNumber,
  wholeNumberFrom
} from "./region/checks.ts"

/** Settings that hold for every region of a client. */
export interface CacheSettings {
  /** The TTL of regions that set none. */
  readonly defaultTtl: Duration.Duration
  /**
   * How long a lease, or a lock of `LockManager` that sets no `ttl`, outlives a holder that died; renewed at a third of it while the
   * holder works. An event loop that is blocked for longer may lose it: what it loads is not stored then.
   */
  readonly lockTtl: Duration.Duration
  /** How many values without a schema, which never leave the process, a client on Redis keeps. */
  readonly localMaxEntries: number
  /**
   * How often a client, one of all on a store, looks for what writers that died were going to invalidate, and invalidates it; `false`: it
   * does not. After a crash what it was about may be stale for as long as a lease and this.
   */
  readonly sweepInterval: Duration.Duration | false
}

/** `CacheSettings` as options. */
export interface CacheSettingsOptions {
  /** Default: 5 minutes. Must be positive. */
  readonly defaultTtl?: Duration.Input | undefined
  /** Default: 5 seconds. From 10 milliseconds to a day. */
  readonly lockTtl?: Duration.Input | undefined
  /** Default: 10,000. At least 1. */
  readonly localMaxEntries?: number | undefined
  /** Default: 10 seconds. From 100 milliseconds to a day, or `false`. */
  readonly sweepInterval?: Duration.Input | false | undefined
}

const defaults: CacheSettings = {
  defaultTtl: Duration.minutes(5),
  lockTtl: Duration.seconds(5),
  localMaxEntries: 10_000,
  sweepInterval: Duration.seconds(10)
}

const positive = (option: string, input: Duration.Input): Duration.Duration => {
  positiveMillis(option, input)
  return Duration.fromInputUnsafe(input)
}

/**
 * The settings of clients built below it. It has defaults, so it need not be provided.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CacheClient, CacheConfig, CacheMemory } from "effect-cache"
 *
 * const layer = CacheMemory.layer({ maxEntries: 1_000 }).pipe(
 *   Layer.provide(CacheConfig.layer({ defaultTtl: "1 minute" }))
 * )
 * const stats = await Effect.runPromise(CacheClient.use((cache) => cache.stats).pipe(Effect.provide(layer)))
 * assert.equal(stats.size, 0)
 * ```
 */
const reference = Context.Reference<CacheSettings>("effect-cache/CacheConfig", { defaultValue: () => defaults })

const names: Names<CacheSettingsOptions> = { defaultTtl: 0, lockTtl: 0, localMaxEntries: 0, sweepInterval: 0 }

/** Checks the options and fills in the defaults. Fails with `CacheError` (`InvalidOption`). */
const make = (options: CacheSettingsOptions): Effect.Effect<CacheSettings, CacheError> =>
  checked(() => {
    knownOptions(options, names)
    return {
      defaultTtl: options.defaultTtl === undefined ? defaults.defaultTtl : positive("defaultTtl", options.defaultTtl),
      lockTtl:
        options.lockTtl === undefined ? defaults.lockTtl : Duration.millis(leaseMillis("lockTtl", options.lockTtl)),
      localMaxEntries: wholeNumber("localMaxEntries", options.localMaxEntries ?? defaults.localMaxEntries, 1),
      sweepInterval:
        options.sweepInterval === undefined
          ? defaults.sweepInterval
          : options.sweepInterval !== false && Duration.millis(sweepMillis("sweepInterval", options.sweepInterval))
    }
  })

const layer = (options: CacheSettingsOptions): Layer.Layer<never, CacheError> => Layer.effect(reference, make(options))

/** What `CacheLive` is configured with. */
export interface CacheEnvironment {
  readonly backend: "redis" | "memory" | "none"
  readonly redisUrl: Redacted.Redacted<string>
  readonly namespace: string
  readonly memoryMaxEntries: number
  readonly memoryMaxBytes: number
  readonly timeout: Duration.Duration
  /** `undefined`: no `PING` is sent. */
  readonly pingInterval: Duration.Duration | undefined
  readonly defaultTtl: Duration.Duration
  readonly lockTtl: Duration.Duration
  readonly sweepInterval: Duration.Duration | false
}

interface Variable<A> {
  readonly name: string
  readonly fallback: A
  /** What is expected, of a text that was refused or of any. */
  readonly expected: string | ((text: string) => string)
  readonly parse: (text: string) => Option.Option<A>
  /** What may be shown of a value that was refused. */
  readonly show: (text: string) => string
}

const variable = <A>(
  name: string,
  fallback: A,
  expected: Variable<A>["expected"],
  parse: (text: string) => Option.Option<A>,
  show: (text: string) => string = describe
): Variable<A> => ({ name, fallback, expected, parse, show })

const bareNumber = /^\d+(\.\d+)?$/

/** A duration between two bounds, in milliseconds. No duration that anybody means takes more than 64 characters. */
const durationFrom = (min: number, max: number) =>
  Schema.decodeUnknownOption(
    Schema.String.pipe(
      Schema.check(Schema.isMaxLength(64)),
      Schema.decodeTo(Schema.DurationFromString),
      Schema.check(
        Schema.makeFilter((duration: Duration.Duration) => {
          const millis = Duration.toMillis(duration)
          return millis >= min && millis <= max
        })
      )
    )
  )

/** A duration that says its unit. A bare number is seconds to one reader and milliseconds to the next: it is refused. */
const durationWithUnit = <A>(name: string, fallback: A, example: string, min: number, max: number) => {
  const parse = durationFrom(min, max)
  const expected = (text: string): string => {
    const meant = [`${text} millis`, `${text} seconds`].filter(
      (one) => bareNumber.test(text) && Option.isSome(parse(one))
    )
    return meant.length === 0
      ? `a duration with its unit, such as ${example}`
      : `${listed(meant)}: a number needs its unit here`
  }
  return variable<Duration.Duration | A>(name, fallback, expected, parse)
}

/** Plain digits are seconds here, and only here: so TTLs are written everywhere. */
const secondsOrDuration = durationFrom(1, Infinity)

const Decimal = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^\d+(\.\d+)?$/)),
  Schema.decodeTo(Schema.FiniteFromString)
)

const count = Schema.decodeUnknownOption(Decimal.pipe(Schema.check(Schema.isInt(), Schema.isGreaterThan(0))))

const size = Schema.decodeUnknownOption(
  Decimal.pipe(Schema.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1_000_000_000)))
)

const namespace = Schema.decodeUnknownOption(
  Schema.String.pipe(Schema.check(Schema.isPattern(/^(?!.*:t(:|$))[A-Za-z0-9_.:-]{1,100}$/)))
)

// The Redis layer reads it in full; here it is only told apart from what is none. Of several hosts the first stands for all.
const oneHost = (text: string): string =>
  text.replace(
    /^(rediss?)\+(?:cluster|sentinel):\/\/((?:[^/?#]*@)?[^@,/?#]*)(?:,[^@/?#]*)?(?=[/?#]|$)/i,
    (_, scheme, host) => `${scheme}://${host}`
  )

const redisPath = (text: string): RegExp =>
  /^rediss?\+sentinel:/i.test(text) ? /^\/[^/]+(\/\d{0,6})?$/ : /^rediss?\+/i.test(text) ? /^\/?0?$/ : /^\/?\d{0,9}$/

const redisUrl = (text: string): Option.Option<Redacted.Redacted<string>> => {
  const plain = oneHost(text)
  if (seemsUnencoded(text) || !URL.canParse(plain)) return Option.none()
  const url = new URL(plain)
  const ok = (url.protocol === "redis:" || url.protocol === "rediss:") && redisPath(text).test(url.pathname)
  return ok ? Option.some(Redacted.make(text)) : Option.none()
}

// A URL may hold a password: of one that was refused, only the scheme and the host are shown, if that much can be told.
const showUrl = (text: string): string => {
  const plain = oneHost(text)
  const url = !seemsUnencoded(text) && URL.canParse(plain) ? new URL(plain) : undefined
  // Without `//` there is no host, and what follows the scheme may be anything.
  const known = url !== undefined && /^(rediss?|https?):\/\//i.test(plain) && url.host !== ""
  if (!known) return `<redacted, ${text.length} characters>`
  return `"${url.protocol}//${url.username === "" && url.password === "" ? "" : "<redacted>@"}${url.host}"`
}

const backends = ["redis", "memory", "none"] as const

/** A duration, or `off`. */
const sweepVariable = () => {
  const duration = durationWithUnit<false | Duration.Duration>(
    "CACHE_SWEEP_INTERVAL",
    defaults.sweepInterval,
    "10 seconds, from 100 millis to a day, or off",
    minSweepMillis,
    maxSweepMillis
  )
  return { ...duration, parse: (text: string) => (text === "off" ? Option.some(false as const) : duration.parse(text)) }
}

const variables = {
  backend: variable("CACHE_BACKEND", "redis", listed(backends), Schema.decodeUnknownOption(Schema.Literals(backends))),
  redisUrl: variable(
    "REDIS_URL",
    Redacted.make("redis://localhost:6379/0"),
    (text) =>
      "a URL such as redis://user:password@host:6379/0, redis+cluster://host:6379,host:6379 or " +
      `redis+sentinel://host:26379,host:26379/name, or with rediss for TLS${seemsUnencoded(text) ? `; ${percentEncode}` : ""}`,
    redisUrl,
    showUrl
  ),
  namespace: variable(
    "CACHE_NAMESPACE",
    "ec",
    "1 to 100 characters of A-Z a-z 0-9 _ . : -, without a part t after the first",
    namespace
  ),
  memoryMaxEntries: variable("CACHE_MEMORY_MAX_ENTRIES", 10_000, wholeNumberFrom(1), count),
  memoryMaxMb: variable("CACHE_MEMORY_MAX_MB", 64, "a number of megabytes above 0", size),
  timeout: durationWithUnit("CACHE_TIMEOUT", Duration.seconds(1), "500 millis, up to an hour", 1, 3_600_000),
  pingInterval: durationWithUnit(
    "CACHE_PING_INTERVAL",
    undefined,
    "1 minute, from 100 millis to a day",
    minPingMillis,
    maxPingMillis
  ),
  defaultTtl: variable("CACHE_DEFAULT_TTL", defaults.defaultTtl, "seconds, or a duration such as 5 minutes", (text) =>
    secondsOrDuration(bareNumber.test(text) ? `${text} seconds` : text)
  ),
  lockTtl: durationWithUnit(
    "CACHE_LOCK_TTL",
    defaults.lockTtl,
    "30 seconds, from 10 millis to a day",
    minLeaseMillis,
    maxLeaseMillis
  ),
  sweepInterval: sweepVariable()
}

type Values = { readonly [K in keyof typeof variables]: (typeof variables)[K] extends Variable<infer A> ? A : never }

/**
 * Reads the settings of `CacheLive` from the `ConfigProvider` (by default the environment). An empty variable counts as
 * absent. Fails with one `ConfigError` that names every bad variable, what it held, and what is expected; of a URL only
 * scheme and host are shown.
 */
const environment: Effect.Effect<CacheEnvironment, Config.ConfigError> = Effect.gen(function*() {
  const values: Record<string, unknown> = {}
  const problems: Array<string> = []
  for (const [field, { expected, fallback, name, parse, show }] of Object.entries<Variable<unknown>>(variables)) {
    const text = (yield* Config.option(Config.String(name))).pipe(Option.map((found) => found.trim()))
    const value = Option.isNone(text) || text.value === "" ? Option.some(fallback) : parse(text.value)
    if (Option.isSome(value)) values[field] = value.value
    else {
      const given = Option.getOrElse(text, () => "")
      problems.push(`${name} is ${show(given)}, expected ${typeof expected === "string" ? expected : expected(given)}`)
    }
  }
  if (problems.length > 0) {
    return yield* Effect.fail(new Config.ConfigError(new ConfigProvider.SourceError({ message: problems.join("; ") })))
  }
  const { memoryMaxMb, ...rest } = values as Values
  return { ...rest, memoryMaxBytes: Math.max(1, Math.floor(memoryMaxMb * 1024 * 1024)) }
})

/** Settings that hold for every region of a client (`layer`), and what the environment says for `CacheLive` (`environment`). */
export const CacheConfig = Object.assign(reference, { make, layer, environment })
