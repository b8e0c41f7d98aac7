/**
 * The cache for tests: in memory, but every value is stored as bytes and decoded on each hit, as in Redis.
 */
import { Context, Data, type Duration, Effect, Layer } from "effect"
import { addTags, type CacheEntry, decode } from "../CacheEntry.ts"
import { CacheError, Unavailable } from "../CacheError.ts"
import { processNow } from "../internal/processTime.ts"
import { assemble, type CacheServices } from "../layers/assemble.ts"
import { makeMemoryPrimitivesWithState } from "../stores/memory/primitives.ts"
import type { MemoryState } from "../stores/memory/state.ts"
import { nodeCompressor } from "../platform/nodeCompressor.ts"
import type { Stored } from "../services/CacheBackend.ts"
import { regionNameOf } from "../patterns/cached.ts"
import type { Cached } from "../patterns/shape.ts"
import { CacheClient } from "../services/CacheClient.ts"
import type { Primitives } from "../services/CachePrimitives.ts"
import type { CacheCounters } from "../services/CacheStats.ts"
import { type Operation as AnyOperation, around } from "../stores/around.ts"
import { same } from "./same.ts"

/** The steps of the backend that a test can make fail or slow. */
export type Operation = Exclude<AnyOperation, "awaitRelease" | "lookupMany" | "removeMatchingAny" | `intents.${string}`>

/** What goes wrong with an operation. */
export interface Fault {
  /** Fails the operation, with `Unavailable` or an error of your own. It is not carried out. */
  readonly fail?: boolean | CacheError | undefined
  /** Delays the operation, on the test's clock. */
  readonly delay?: Duration.Input | undefined
  /** How often; then the fault is over. Default: until `heal`. */
  readonly times?: number | undefined
}

/** An entry as a test sees it. */
export interface TestEntry {
  readonly key: string
  /** The value as it is stored: the JSON its schema encoded it to. */
  readonly json: unknown
  readonly tags: ReadonlyArray<string>
  /** What is left of its TTL, in milliseconds; `Infinity` for none. */
  readonly ttlMillis: number
  /** Its size as stored, header included. */
  readonly bytes: number
}

/** What a pattern returned for a loader: a cached function, or a cached effect. */
export type AnyCached = Pick<Cached.Any, "clear">

/** Nothing was asked of a region of this name: it is misspelt, or its functions were not called yet. */
export class UnknownRegion extends Data.TaggedError("UnknownRegion")<{
  readonly region: string
  /** The names of those of which something was asked. */
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const known = this.known.map((name) => JSON.stringify(name)).join(", ")
    return `nothing was asked of a region ${JSON.stringify(this.region)}: ${known === "" ? "of none yet" : `of ${known}`}`
  }
}

/**
 * A handle on the cache of `CacheTest.layer`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { cacheAside } from "effect-cache"
 * import { CacheTest } from "effect-cache/testing"
 *
 * const getUser = cacheAside({ key: "user:{id}", schema: Schema.String, ttl: "1 minute" })(
 *   ({ id }: { readonly id: string }) => Effect.succeed(`user ${id}`)
 * )
 * const program = Effect.gen(function*() {
 *   const test = yield* CacheTest
 *   yield* getUser({ id: "1" })
 *   yield* getUser({ id: "1" })
 *   assert.equal(yield* test.loads(getUser), 1)
 *   assert.deepEqual((yield* test.entries).map(({ json, key }) => [key, json]), [["user:1", "user 1"]])
 *
 *   yield* test.inject("read", { fail: true })
 *   assert.equal(yield* getUser({ id: "1" }), "user 1") // a broken cache fails no request
 *   assert.equal(yield* test.loads(), 2)
 * })
 * await Effect.runPromise(program.pipe(Effect.provide(CacheTest.layer)))
 * ```
 */
export class CacheTest extends Context.Service<
  CacheTest,
  {
    /** The entries that are not expired, in no particular order. */
    readonly entries: Effect.Effect<ReadonlyArray<TestEntry>>
    /** The entry of a key. */
    readonly entry: (key: string) => Effect.Effect<TestEntry | undefined>
    /**
     * How many loads and writes have run: in all, of the region of a cached function, or of one by its name, which is its key
     * template (`memo:<name>` of what `memoize` keeps by name). Functions of one template share a region. A name that nothing was asked
     * of fails, and says of which there was.
     */
    readonly loads: {
      (of?: AnyCached): Effect.Effect<number>
      (region: string): Effect.Effect<number, UnknownRegion>
    }
    /** How often an operation has been asked of the backend. */
    readonly calls: (operation: Operation) => Effect.Effect<number>
    /**
     * Makes an operation, or every one (`"*"`), fail or slow. A new fault replaces the one before. As on Redis, after an
     * invalidation that failed, or some failures in a row, the cache is left alone until it has answered and the invalidation
     * has been made up for: half a second or more of the test's clock after the fault is over.
     */
    readonly inject: (operation: Operation | "*", fault: Fault) => Effect.Effect<void>
    /** Ends all faults. */
    readonly heal: Effect.Effect<void>
  }
>()("effect-cache/CacheTest") {
  /**
   * The services of the cache, and the handle. A value that its schema does not give back the same fails the test that
   * used it, as a defect. Expiry follows the clock, so `TestClock.adjust` moves it.
   */
  static readonly layer: Layer.Layer<CacheServices | CacheTest> = Layer.effectContext(
    Effect.orDie(Effect.suspend(() => make))
  )
}

/** Faults and counts by operation. */
class Faults {
  readonly active = new Map<Operation | "*", { fault: Fault; left: number }>()
  readonly calls = new Map<Operation, number>()

  around<A>(operation: Operation, self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> {
    return Effect.suspend(() => {
      this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1)
      const name = this.active.has(operation) ? operation : "*"
      const found = this.active.get(name)
      if (found === undefined) return self
      if (--found.left <= 0) this.active.delete(name)
      const { delay, fail } = found.fault
      const outcome =
        fail === undefined || fail === false
          ? self
          : Effect.fail(
              fail === true
                ? new CacheError({
                    reason: new Unavailable({ backend: "test", operation, cause: new Error("injected by the test") })
                  })
                : fail
            )
      return delay === undefined ? outcome : Effect.delay(outcome, delay)
    })
  }
}

const compressor = nodeCompressor({ threshold: 8192 })

/** Memory keeps an entry; the bytes are its value. Tags added since are put into them when they are read. */
const toBytes = (entry: CacheEntry | undefined): Uint8Array | undefined => {
  if (entry === undefined) return undefined
  const bytes = entry.value as Uint8Array
  return (decode(bytes, compressor)?.tags.length ?? 0) === entry.tags.length ? bytes : addTags(bytes, entry.tags)
}

const fromBytes = (stored: Stored): CacheEntry => {
  if (!(stored instanceof Uint8Array)) return stored
  const { json: _, ...header } = decode(stored, compressor)!
  return { ...header, value: stored }
}

/** Memory, as a store of bytes that needs trips. */
const asBytes = ({ backend, tags }: Primitives): Primitives => ({
  tags,
  backend: {
    ...backend,
    name: "test",
    format: "bytes",
    compressor,
    local: undefined,
    fast: undefined,
    read: (key) => Effect.map(backend.read(key), (entry) => toBytes(entry as CacheEntry | undefined)),
    fill: (key, token, { stored, ttlMillis }, onLost) =>
      Effect.suspend(() => backend.fill(key, token, { stored: fromBytes(stored), ttlMillis }, onLost))
  }
})

const entriesOf = ({ entries }: MemoryState, now: number): ReadonlyArray<TestEntry> =>
  [...entries.keys()].flatMap((key) => {
    const entry = entries.peek(key, now)
    if (entry === undefined) return []
    const bytes = toBytes(entry)!
    const ttlMillis = entries.expiresAtOf(key)! - now
    return [{ key, json: decode(bytes, compressor)?.json, tags: entry.tags, ttlMillis, bytes: bytes.length }]
  })

const loadsOf = (counters: Effect.Effect<CacheCounters>): CacheTest["Service"]["loads"] =>
  ((of?: AnyCached | string) =>
    Effect.flatMap(counters, ({ regions, total }): Effect.Effect<number, UnknownRegion> => {
      if (of === undefined) return Effect.succeed(total.loads)
      const name = typeof of === "string" ? of : regionNameOf(of)
      if (name === undefined) {
        return Effect.die(
          new TypeError("loads is asked of what no pattern has returned, such as a function around a cached one")
        )
      }
      const found = regions.find(({ region }) => region === name)
      // Of a function the region is known, also before its first call.
      if (found !== undefined || of !== name) return Effect.succeed(found?.loads ?? 0)
      return Effect.fail(new UnknownRegion({ region: name, known: regions.map(({ region }) => region) }))
    })) as never

const make = Effect.gen(function*() {
  const { state, ...memory } = yield* makeMemoryPrimitivesWithState({ name: "test" })
  const faults = new Faults()
  const faulty = around(asBytes(memory), (call, self) =>
    call.operation === "awaitRelease" ? self : faults.around(call.operation as Operation, self)
  )
  const services = yield* assemble({ ...faulty, locks: memory.locks }, { same })
  const entries = Effect.map(processNow, (now) => entriesOf(state, now))
  const client = Context.get(services, CacheClient)
  return Context.add(services, CacheTest, {
    entries,
    entry: (key) => Effect.map(entries, (all) => all.find((entry) => entry.key === key)),
    loads: loadsOf(client.counters),
    calls: (operation) => Effect.sync(() => faults.calls.get(operation) ?? 0),
    inject: (operation, fault) =>
      Effect.sync(() => {
        faults.active.set(operation, { fault, left: fault.times ?? Infinity })
      }),
    heal: Effect.sync(() => faults.active.clear())
  })
})
