/**
 * Lines of docs/security.md that no other test is for: secrets, and callers that take more than their share.
 */
import { inspect } from "node:util"
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Option,
  Redacted,
  References,
  Schema,
  Tracer
} from "effect"
import { decode, encode } from "../../src/CacheEntry.ts"
import {
  cacheAside,
  CacheClient,
  CacheLayer,
  CacheMemory,
  invalidatePattern,
  invalidateTags,
  LockManager,
  memoize,
  stampedeProtect,
  writeThrough
} from "../../src/index.ts"
import { codecOf } from "../../src/schema/codec.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { RedisServer } from "../support/redisServer.ts"
import { epoch, makeBytesBackend } from "../support/bytesBackend.ts"
import { around } from "../support/entryBytes.ts"

/** All that a program says of itself: logs of every level, spans and metrics. */
const listen = () => {
  const logs: Array<string> = []
  const spans: Array<Tracer.NativeSpan> = []
  const metrics = new Map()
  const look = (value: unknown) => inspect(value, { depth: 20, showHidden: true, maxStringLength: null })
  const provide = <A, E, R>(effect: Effect.Effect<A, E, R>, level: "Info" | "Trace"): Effect.Effect<A, E, R> =>
    effect.pipe(
      Effect.provide(
        Logger.layer([
          Logger.make(({ cause, logLevel, message }) => void logs.push(`${logLevel} ${look(message)} ${look(cause)}`))
        ])
      ),
      Effect.provideService(References.MinimumLogLevel, level),
      Effect.provideService(
        Tracer.Tracer,
        Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
      ),
      Effect.provideService(Metric.MetricRegistry, metrics)
    )
  const heard = () =>
    [
      ...logs,
      // Of how a span ended, what an exporter sends: nothing of a success.
      ...spans.map(({ attributes, events, name, status }) =>
        look([name, [...attributes], events, status._tag === "Ended" && Exit.isFailure(status.exit) ? status.exit : ""])
      ),
      look([...metrics.keys()])
    ].join("\n")
  return { provide, heard, logs, spans }
}

describe("secrets", () => {
  const secret = "s3cr3t"
  const region = {
    key: "row:{id}",
    schema: Schema.Struct({ token: Schema.String }),
    ttl: "1 minute",
    tags: ["rows"]
  } as const
  type Id = { readonly id: string; readonly password: string }
  const args: Id = { id: "1", password: `${secret}-argument` }
  const value = { token: `${secret}-value` }

  const everything = Effect.gen(function*() {
    const load = (_: Id) => Effect.succeed(value)
    const get = cacheAside(region, { ignore: ["password"] })(load)
    yield* get(args)
    yield* get(args)
    yield* get.refresh(args)
    yield* stampedeProtect(region, { ignore: ["password"] })(load)({ ...args, id: "2" })
    yield* writeThrough(region)(load)({ ...args, id: "3" })
    // Arguments of a function without names are in the key, unless they say that they are secret.
    yield* memoize({ name: "login" })((_: Redacted.Redacted) => Effect.succeed(1))(Redacted.make(`${secret}-redacted`))
    yield* Effect.exit(invalidateTags(["rows"]))
    yield* Effect.exit(invalidatePattern("row:*"))
    yield* CacheClient.use((client) => client.stats)
    yield* Effect.exit(LockManager.use((locks) => locks.withLock("l")(Effect.void)))
  })

  it.live("values, arguments and passwords are in no log of any level, span or metric", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.scoped({ requirepass: secret })
      const url = `redis://:${secret}@127.0.0.1:${server.port}`
      const wrong = `redis://someone:${secret}-wrong@127.0.0.1:${server.port}`
      for (const layer of [
        CacheMemory.layer(),
        CacheRedis.layer({ url }),
        CacheRedis.layer({ url: wrong, timeout: "200 millis" })
      ]) {
        const { heard, provide, spans } = listen()
        yield* provide(Effect.scoped(Effect.provide(Effect.withSpan(everything, "test"), layer)), "Trace")
        assert.isAbove(spans.length, 3)
        assert.include(heard(), "row:1")
        assert.notInclude(heard(), secret)
      }
    }).pipe(Effect.scoped)
  )

  it.live("what a function of the program says of a value is repeated at no level but Debug", () =>
    Effect.gen(function*() {
      const get = cacheAside({
        ...region,
        ignore: ["password"],
        tags: ({ token }): ReadonlyArray<string> => {
          throw new Error(`no tag for ${token}`)
        }
      })((_: Id) => Effect.succeed(value))
      for (const level of ["Info", "Trace"] as const) {
        const { heard, logs, provide } = listen()
        assert.deepStrictEqual(yield* provide(Effect.provide(get(args), CacheMemory.layer()), level), value)
        assert.include(heard(), "EncodeFailed")
        assert.notInclude(logs.filter((line) => !line.startsWith("Debug")).join("\n"), secret)
        assert.strictEqual(heard().includes(secret), level === "Trace")
      }
    })
  )

  it.live("a schema does not quote what it refuses", () =>
    Effect.gen(function*() {
      const { heard, provide } = listen()
      const store = yield* makeBytesBackend
      const get = cacheAside(region, { ignore: ["password"] })((_: Id) =>
        Effect.succeed({ token: { secret } } as unknown as typeof value)
      )
      yield* provide(Effect.provide(get(args), CacheLayer.make(Effect.succeed(store.primitives))), "Trace")
      assert.include(heard(), "EncodeFailed")
      assert.notInclude(heard(), secret)
    }).pipe(Effect.scoped)
  )
})

describe("stored bytes", () => {
  it("a few kilobytes that say they are 64 MiB are not unpacked, and nothing that dense is written", () => {
    const compressor = nodeCompressor({ threshold: 1 })
    const header = { born: 1, createdAt: 0, freshUntil: 1, loadMillis: 0, fingerprint: "x", tags: [] }
    // Lists take many times more room than their text.
    const payload = Buffer.from(`[${"[],".repeat(20 << 20)}0]`)
    const packed = zlib.zstdCompressSync(payload)
    assert.isBelow(packed.length, 10_000)
    // A boolean, because a failing comparison would print the bomb.
    assert.isFalse(decode(around(header, packed, 2, payload.length), compressor) !== undefined)
    for (const size of [1 << 16, 2 << 20]) {
      const text = "x".repeat(size)
      assert.isTrue(decode(encode(header, text, compressor), compressor)?.json === text)
    }
  })
})

describe("callers that take more than their share", () => {
  it.live("10,000 callers of a load that hangs are one load, and leave nothing when they go", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(CacheMemory.layer())
      const client = Context.get(context, CacheClient)
      let loads = 0
      let stopped = 0
      const get = cacheAside({ key: "hung", schema: Schema.Number, ttl: "1 minute" })(
        Effect.suspend(() => {
          loads++
          return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void stopped++))
        })
      )
      const other = cacheAside({ key: "other", schema: Schema.Number, ttl: "1 minute" })(Effect.succeed(1))
      const callers = yield* Effect.replicateEffect(
        Effect.forkChild(Effect.provideContext(get, context), { startImmediately: true }),
        10_000
      )
      assert.deepStrictEqual([loads, (yield* client.stats).inFlight], [1, 1])
      // Who waits for another key is not held up.
      assert.strictEqual(yield* Effect.provideContext(other, context), 1)
      yield* Fiber.interruptAll(callers)
      assert.deepStrictEqual([loads, stopped, (yield* client.stats).inFlight], [1, 1, 0])
    }).pipe(Effect.scoped)
  )

  it.live("a lease that is held for ever keeps nobody from a value", () =>
    Effect.gen(function*() {
      const store = yield* makeBytesBackend
      const context = yield* Layer.build(CacheLayer.make(Effect.succeed(store.primitives)))
      // Somebody else, who never gives it back.
      yield* store.primitives.backend.takeOver("held", "somebody", Number.MAX_SAFE_INTEGER, "write")
      const region = { key: "held", schema: Schema.Number, ttl: "1 minute" } as const
      const patient = stampedeProtect({ ...region, waitTimeout: "50 millis" })(Effect.succeed(2))
      assert.strictEqual(yield* Effect.provideContext(cacheAside(region)(Effect.succeed(1)), context), 1)
      assert.strictEqual(yield* Effect.provideContext(patient, context), 2)
      // A write, and an invalidation, take it away.
      assert.strictEqual(yield* Effect.provideContext(writeThrough(region)(Effect.succeed(3)), context), 3)
      assert.deepStrictEqual(yield* Effect.provideContext(patient.peek, context), Option.some(3))
    }).pipe(Effect.scoped)
  )

  it.live("an entry of 65,535 tags costs its readers one question a tag, and is one entry", () =>
    Effect.gen(function*() {
      const store = yield* makeBytesBackend
      const context = yield* Layer.build(CacheLayer.make(Effect.succeed(store.primitives)))
      const schema = Schema.Number
      const tags = Array.from({ length: 65_535 }, (_, i) => `t${i}`)
      const header = { born: epoch, createdAt: 0, freshUntil: Infinity, loadMillis: 0 }
      const bytes = encode({ ...header, fingerprint: codecOf(schema).fingerprint, tags }, 1, undefined)
      const get = cacheAside({ key: "many", schema, ttl: "1 minute" })(Effect.succeed(2))
      store.entries.set("many", bytes)
      // No marker: stale.
      assert.strictEqual(yield* Effect.provideContext(get, context), 2)
      for (const tag of tags) store.markers.set(tag, epoch)
      store.entries.set("many", bytes)
      assert.strictEqual(yield* Effect.provideContext(get, context), 1)
      const more = yield* Effect.exit(
        Context.get(context, CacheClient).set("many", 1, { schema, tags: [...tags, "more"] })
      )
      assert.isTrue(Exit.isFailure(more))
    }).pipe(Effect.scoped)
  )

  it.live("values and tags that are too big are kept out, and push nothing out", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(CacheMemory.layer({ maxEntries: 1000, maxBytes: "1 MiB" }))
      const client = Context.get(context, CacheClient)
      yield* client.set("small", 1, { schema: Schema.Number })
      yield* client.set("huge", "x".repeat(2 << 20), { schema: Schema.String })
      yield* client.set("tagged", 1, { schema: Schema.Number, tags: ["x".repeat(2 << 20)] })
      assert.deepStrictEqual(yield* client.get("small", Schema.Number), Option.some(1))
      assert.deepStrictEqual(yield* client.get("huge", Schema.String), Option.none())
      assert.deepStrictEqual(yield* client.get("tagged", Schema.Number), Option.none())
      for (let i = 0; i < 3000; i++) yield* client.set(`key ${i}`, i, { schema: Schema.Number })
      const { memoryMb, size } = yield* client.stats
      assert.isAtMost(size!, 1000)
      assert.isAtMost(memoryMb!, 1)
    }).pipe(Effect.scoped)
  )
})
