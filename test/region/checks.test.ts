/**
 * One mistake reads the same, wherever it is made: each is made here in every option that can have it, and what a user is
 * told is compared.
 */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Context, Duration, Effect, Exit, Layer, Redacted, Schema } from "effect"
import {
  cacheAside,
  CacheConfig,
  CacheError,
  CacheFallback,
  CacheMemory,
  CacheRegion,
  LockManager,
  stampedeProtect,
  writeThrough
} from "effect-cache"
import { cachedResponse } from "effect-cache/http"
import { CacheRedis } from "effect-cache/redis"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { describe as shown } from "../../src/internal/invalidOption.ts"

const base = { key: "a", schema: Schema.String } as const

const built = (layer: Layer.Layer<never, unknown>): Effect.Effect<void, unknown> =>
  Effect.scoped(Effect.asVoid(Layer.build(layer)))
const made = (make: () => unknown) =>
  Effect.suspend(() => {
    make()
    return Effect.void
  })

const config = (options: object) => built(CacheConfig.layer(options))
const memory = (options: object) => built(CacheMemory.layer(options))
const redis = (options: object) => built(CacheRedis.layer(options))
const fallback = (options: object) =>
  built(CacheFallback.layer({ primary: CacheMemory.layer(), fallback: CacheMemory.layer(), ...options }))
const region = (options: object) => made(() => CacheRegion.make({ ...base, ...options }))
const stampede = (options: object) => made(() => stampedeProtect({ ...base, ...options }))
const writes = (options: object) => made(() => writeThrough({ ...base, ...options }))
const http = (options: object) =>
  made(() => cachedResponse("a", { ttl: 1000, ...options })(Effect.succeed(HttpServerResponse.empty())))
const lock = (options: object) =>
  Effect.scoped(
    Effect.flatMap(Layer.build(CacheMemory.layer()), (services) =>
      Context.get(services, LockManager).withLock("l", options)(Effect.void)
    )
  )

type Mistake = readonly [option: string, where: (options: object) => Effect.Effect<unknown, unknown>]

const ttls: ReadonlyArray<Mistake> = [
  ["defaultTtl", config],
  ["ttl", region],
  ["ttl", http]
]
const durations: ReadonlyArray<Mistake> = [
  ...ttls,
  ["lockTtl", config],
  ["lockTtl", stampede],
  ["lockTtl", ({ lockTtl }: { lockTtl?: unknown }) => http({ stampede: { lockTtl } })],
  ["waitTimeout", stampede],
  ["waitTimeout", ({ waitTimeout }: { waitTimeout?: unknown }) => http({ stampede: { waitTimeout } })],
  ["ttl", lock],
  ["timeout", fallback],
  ["fallbackTtl", fallback],
  ["retryAfter", fallback],
  ["timeout", redis],
  ["connectTimeout", redis],
  ["pingInterval", redis],
  ["durability.timeout", (options) => redis({ durability: { replicas: 1, timeout: Object.values(options)[0] } })]
]
const counts: ReadonlyArray<Mistake> = [
  ["localMaxEntries", config],
  ["maxEntries", memory],
  ["failureThreshold", fallback],
  ["journalLimit", fallback]
]
const leases: ReadonlyArray<Mistake> = [
  ["lockTtl", config],
  ["lockTtl", stampede],
  ["lockTtl", ({ lockTtl }: { lockTtl?: unknown }) => http({ stampede: { lockTtl } })]
]
const byteLimits: ReadonlyArray<Mistake> = [
  ["compressAbove", region],
  ["maxBodyBytes", http]
]
const lists: ReadonlyArray<Mistake> = [
  ["tags", region],
  ["tags", http],
  ["vary", http],
  ["authenticated", http],
  ["query", http],
  ["invalidateKeys", writes],
  ["invalidatePatterns", writes],
  ["invalidateTags", writes]
]

const soon = 'a duration, such as "5 minutes"'
const positive = "a positive duration"
const whole = "a whole number of at least 1"
const bytes = "a number of bytes, 0 or more"
const strings = "an array of strings"

const mistakes: ReadonlyArray<
  readonly [value: unknown, actual: string, expected: string, made: ReadonlyArray<Mistake>]
> = [
  ["soon", '"soon"', soon, [...durations, ["wait", lock]]],
  [
    {
      get seconds(): number {
        throw new Error("no")
      }
    },
    "an object",
    soon,
    [...durations, ["wait", lock]]
  ],
  [0, "0", positive, durations],
  ["-1 second", '"-1 second"', positive, durations],
  [Duration.seconds(-1), "-1000 millis", positive, durations],
  [-1, "-1", "a duration, zero or more", [["wait", lock]]],
  [1, "1", "a duration from 10 milliseconds to 1 day", leases],
  ["25 hours", '"25 hours"', "a duration from 10 milliseconds to 1 day", leases],
  [1, "1", "a finite duration of at least 10 milliseconds", [["ttl", lock]]],
  [
    Duration.infinity,
    "Infinity",
    "a duration from 1 millisecond to 1 hour",
    [
      ["timeout", redis],
      ["connectTimeout", redis]
    ]
  ],
  [1, "1", "a duration from 100 milliseconds to 1 day", [["pingInterval", redis]]],
  [0, "0", whole, counts],
  [1.5, "1.5", whole, counts],
  [Number.NaN, "NaN", whole, counts],
  [Infinity, "Infinity", whole, counts],
  ["5", '"5"', whole, counts],
  [10n, "10n", whole, counts],
  [-1, "-1", "a whole number of at least 0", [["compressionThreshold", redis]]],
  [1.5, "1.5", "a whole number from 1 to 65535", [["port", redis]]],
  [-1, "-1", bytes, byteLimits],
  ["1", '"1"', bytes, byteLimits],
  ["one", '"one"', strings, lists],
  [["a", 1, { b: 1 }], '["a", 1, an object]', strings, lists],
  [
    "copy",
    '"copy"',
    '"reference" or "clone"',
    [
      ["isolation", memory],
      ["isolation", redis]
    ]
  ],
  [
    "retry",
    '"retry"',
    '"bypass" or "fail"',
    [
      ["onCacheError", region],
      ["onCacheError", http],
      ["onCacheError", writes]
    ]
  ],
  ["stale", '"stale"', '"load" or "fail"', [["onTimeout", stampede]]],
  ["sharded", '"sharded"', '"standalone", "cluster" or "sentinel"', [["mode", redis]]]
]

describe("one mistake reads the same in every layer", () => {
  for (const [value, actual, expected, made] of mistakes) {
    it.effect(`${actual}, expected ${expected}`, () =>
      Effect.gen(function*() {
        const told = yield* Effect.forEach(made, ([option, where]) =>
          Effect.map(Effect.exit(where({ [option]: value })), (exit) => {
            const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
            return error instanceof CacheError && error.reason._tag === "InvalidOption"
              ? // A response says whose options they are.
                error.reason.message.replace(/^(?:stampede\.)?(\w+) of a /, "$1 ")
              : `${option}: ${String(error)}`
          })
        )
        assert.deepStrictEqual(
          told,
          made.map(([option]) => `${option} is ${actual}, expected ${expected}`)
        )
      })
    )
  }

  it.effect("functions of the value are held to the same", () =>
    Effect.gen(function*() {
      const load = Effect.succeed("x")
      const calls = [
        [load.pipe(cacheAside({ ...base, ttl: () => 0, onCacheError: "fail" })), `ttl is 0, expected ${positive}`],
        [
          load.pipe(cacheAside({ ...base, tags: () => "one" as never, onCacheError: "fail" })),
          `tags is "one", expected ${strings}`
        ]
      ] as const
      for (const [call, message] of calls) {
        const exit = yield* Effect.exit(call)
        assert.include(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit), message)
      }
    }).pipe(Effect.provide(CacheMemory.layer()))
  )

  it("one file of the sources builds InvalidOption", () => {
    const src = new URL("../../src/", import.meta.url)
    const builders = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".ts") && readFileSync(new URL(file, src), "utf8").includes("new InvalidOption(")
    )
    assert.deepStrictEqual(builders, ["internal/invalidOption.ts"])
  })

  it.effect("also in the environment", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        CacheConfig.environment.pipe(
          Effect.provide(
            ConfigProvider.layer(
              ConfigProvider.fromEnvRecord({ CACHE_BACKEND: "disk", CACHE_MEMORY_MAX_ENTRIES: "x".repeat(1000) })
            )
          )
        )
      )
      assert.include(error.message, 'CACHE_BACKEND is "disk", expected "redis", "memory" or "none"')
      assert.include(error.message, `${"x".repeat(100)}"... (1000 characters), expected ${whole}`)
    })
  )
})

describe("what is shown of a value", () => {
  it("is one short line, whatever it is", () => {
    const hostile = new Proxy([], {
      get: () => {
        throw new Error("no")
      }
    })
    const samples: ReadonlyArray<readonly [unknown, string]> = [
      [undefined, "undefined"],
      [null, "null"],
      [-0.5, "-0.5"],
      ['a\n"b"', '"a\\n\\"b\\""'],
      ["\ud800", '"\\ud800"'],
      ["x".repeat(1_000_000), `"${"x".repeat(100)}"... (1000000 characters)`],
      [10n ** 1000n, "a bigint of more than 64 bits"],
      [Symbol("x"), "a symbol"],
      [() => 1, "a function"],
      [
        {
          toString: () => {
            throw new Error("no")
          }
        },
        "an object"
      ],
      [Object.create(null), "an object"],
      [hostile, "an object"],
      [new Array(1_000_000).fill("x"), `[${'"x", '.repeat(10)}...]`],
      [[[1], "a"], '[an array, "a"]'],
      [Duration.minutes(2), "120000 millis"]
    ]
    for (const [value, text] of samples) assert.strictEqual(shown(value), text)
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    assert.strictEqual(shown(revoked.proxy), "an object")
  })

  it("holds nothing of what may be a secret", () => {
    for (const secret of ["redis://:hush@h", "u:hush@h", "redis+sentinel://hush", { password: "hush" }, ["u:hush@h"]]) {
      assert.notInclude(shown(secret), "hush")
    }
    assert.strictEqual(shown(Redacted.make("hush", { label: "hush" })), "<redacted>")
  })

  it.effect("a URL in the wrong option is not shown", () =>
    Effect.gen(function*() {
      const url = " redis://u:hush@host:6379"
      for (const option of ["mode", "name", "namespace", "isolation", "host", "port", "db", "timeout"]) {
        const error = yield* Effect.flip(redis({ [option]: url }))
        assert.instanceOf(error, CacheError)
        assert.notInclude(error.message, "hush")
        assert.include(error.message, option)
      }
    })
  )
})
