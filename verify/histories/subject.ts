/**
 * What is put to the proof: this library, as a process uses it.
 */
import {
  Cause,
  Context,
  Effect,
  Exit,
  Layer,
  Logger,
  ManagedRuntime,
  Option,
  References,
  Schema,
  SchemaGetter
} from "effect"
import {
  cacheAside,
  CacheClient,
  type Cached,
  CacheConfig,
  CacheError,
  CacheFallback,
  CacheMemory,
  type CacheServices,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  stampedeProtect,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import type { ReadKind } from "./records.ts"
import { endMicros, families, type Family, fixedTag, keyOf, tagsOf } from "./world.ts"

export const Row = Schema.Struct({
  key: Schema.String,
  version: Schema.Number,
  /** Which load this is, and when it had the row ready. */
  load: Schema.String,
  loadedAt: Schema.Number
})
export type Row = typeof Row.Type

/** When a row was ready that is handed to `set`: it says so when it is encoded. */
export const notYet = -1

/**
 * A row as `set` is given it; its readers go by `Row`, which has the same form. `set` encodes it when it has taken the lease
 * over, so the moment of that is the latest at which its work on the store can have begun: that moment goes into what is
 * stored. Then it takes its time, because what comes between the lease and the fill is the race that matters.
 */
const sealedRow = (pause: () => Promise<void> | undefined) =>
  Schema.Struct({
    ...Row.fields,
    loadedAt: Schema.Number.pipe(
      Schema.decodeTo(Schema.Number, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transformEffect((moment) =>
          Effect.suspend(() => {
            if (moment !== notYet) return Effect.succeed(moment)
            const now = endMicros()
            return Effect.as(
              Effect.promise(async () => pause()),
              now
            )
          })
        )
      })
    )
  })

/** Its caller was interrupted. */
export class Left extends Error {}

/** What a subject gets from the process it works in. */
export interface Source {
  readonly load: (family: Family, id: number) => Promise<Row>
  readonly write: (family: Family, id: number) => Promise<Row>
  /** At times, how long it takes to encode what is set. */
  readonly pause: () => Promise<void> | undefined
}

/** What a caller got. */
export interface Answer {
  /** `undefined`: a peek or get that found nothing. */
  readonly row: Row | undefined
  /** The cache failed on the way. */
  readonly degraded: boolean
}

/**
 * A cache under test. What it is asked for by name rejects when it is not acknowledged. A caller whose signal is aborted is
 * interrupted; if it had no answer by then, the promise rejects with `Left`.
 */
export interface Subject {
  readonly read: (kind: ReadKind, family: Family, id: number, signal?: AbortSignal) => Promise<Answer>
  readonly invalidateKey: (key: string, signal?: AbortSignal) => Promise<void>
  readonly invalidateKeys: (keys: ReadonlyArray<string>, signal?: AbortSignal) => Promise<void>
  readonly invalidateFamily: (family: Family, signal?: AbortSignal) => Promise<void>
  readonly invalidateTag: (tag: string, signal?: AbortSignal) => Promise<void>
  /** Rejects when the write was not acknowledged (`"fail"`), or never because of the cache (`"bypass"`). */
  readonly write: (policy: "fail" | "bypass", family: Family, id: number, signal?: AbortSignal) => Promise<Row>
  /** Stores a row. One that is ready at `notYet` is ready when it is encoded. */
  readonly set: (family: Family, id: number, row: Row, signal?: AbortSignal) => Promise<void>
  /** Whether this is how it says that the cache failed. */
  readonly isTyped: (error: unknown) => boolean
  readonly close: () => Promise<void>
}

export interface SubjectOptions {
  readonly url: string
  readonly namespace: string
  /** `"redis"`: `CacheRedis` alone. `"fallback"`: `CacheFallback` around it. */
  readonly layer: "redis" | "fallback"
  readonly fallbackTtlMillis: number
  readonly durability: { readonly replicas: number; readonly timeoutMillis: number } | undefined
}

/** Short, so that a run sees many of each end: leases that expire, deadlines that pass. */
const lockTtl = "400 millis"
const timeout = "800 millis"

const layerOf = ({
  durability,
  fallbackTtlMillis,
  layer,
  namespace,
  url
}: SubjectOptions): Layer.Layer<CacheServices, CacheError> => {
  const waits = durability && { replicas: durability.replicas, timeout: durability.timeoutMillis }
  const redis = CacheRedis.layer({ url, namespace, timeout, ...(waits && { durability: waits }) })
  return layer === "redis"
    ? redis
    : CacheFallback.layer({
        primary: redis,
        fallback: CacheMemory.layer({ maxEntries: 1_000 }),
        fallbackTtl: fallbackTtlMillis,
        retryAfter: "100 millis"
      })
}

/** The call that is under way, so that what is logged on its way can be told from what others log. */
const CurrentCall = Context.Reference<{ degraded: boolean }>("effect-cache/test/CurrentCall", {
  defaultValue: () => ({ degraded: false })
})

/** A call that goes on without its cache says so in the log, in the fiber of its caller. */
const watch = Logger.make<unknown, void>(({ fiber, message }) => {
  const [text] = Array.isArray(message) ? message : [message]
  if (text === "effect-cache: cache failure") fiber.getRef(CurrentCall).degraded = true
})

interface Id {
  readonly id: number
}
interface Params {
  readonly id: unknown
}
type Reader = Cached<{ args: [Id]; value: Row }>

export const makeSubject = (options: SubjectOptions, source: Source): Subject => {
  const settings = Layer.mergeAll(
    CacheConfig.layer({ lockTtl }),
    Logger.layer([watch]),
    Layer.succeed(References.MinimumLogLevel, "Debug")
  )
  const runtime = ManagedRuntime.make(Layer.provideMerge(layerOf(options), settings))

  const regionOf = <F extends Family>(family: F) =>
    ({ key: `${family}:{id}` as `${F}:{id}`, schema: Row, ttl: "1 minute" }) as const
  const load = (family: Family) => (params: Id) => Effect.promise(() => source.load(family, params.id))
  const write = (family: Family) => (params: Id) => Effect.promise(() => source.write(family, params.id))
  const each = <A>(make: (family: Family) => A) =>
    Object.fromEntries(families.map((family) => [family, make(family)])) as Record<Family, A>

  const taggedRegion = { ...regionOf("tagged"), tags: (_: Row, params: Params) => tagsOf(Number(params.id)) }
  const fixedRegion = { ...regionOf("fixed"), tags: [fixedTag] }
  const asides: Record<Family, Reader> = {
    plain: cacheAside(regionOf("plain"))(load("plain")),
    tagged: cacheAside(taggedRegion)(load("tagged")),
    fixed: cacheAside(fixedRegion)(load("fixed"))
  }
  const stampedes: Record<Family, Reader> = {
    plain: stampedeProtect(regionOf("plain"))(load("plain")),
    tagged: stampedeProtect(taggedRegion)(load("tagged")),
    fixed: stampedeProtect(fixedRegion)(load("fixed"))
  }
  // Writes of the tagged family invalidate the tags of their row, too.
  const lists = { invalidateTags: ({ params }: { readonly params: Params }) => tagsOf(Number(params.id)) }
  const fail = { onCacheError: "fail" } as const
  const strict = {
    plain: writeThrough({ ...regionOf("plain"), ...fail })(write("plain")),
    tagged: writeThrough({ ...taggedRegion, ...fail }, lists)(write("tagged")),
    fixed: writeThrough({ ...fixedRegion, ...fail })(write("fixed"))
  }
  const lenient = {
    plain: writeThrough(regionOf("plain"))(write("plain")),
    tagged: writeThrough(taggedRegion, lists)(write("tagged")),
    fixed: writeThrough(fixedRegion)(write("fixed"))
  }
  const patterns = each((family) => invalidatePattern(`${family}:*`))
  const Sealed = sealedRow(source.pause)
  const tagsIn = (family: Family, id: number) =>
    family === "plain" ? [] : family === "tagged" ? tagsOf(id) : [fixedTag]
  const readers: Record<ReadKind, (family: Family, id: number) => Effect.Effect<Row | undefined, CacheError, any>> = {
    aside: (family, id) => asides[family]({ id }),
    stampede: (family, id) => stampedes[family]({ id }),
    refresh: (family, id) => asides[family].refresh({ id }),
    peek: (family, id) => Effect.map(asides[family].peek({ id }), Option.getOrUndefined),
    get: (family, id) =>
      Effect.map(
        CacheClient.use((client) => client.get(keyOf(family, id), Row)),
        Option.getOrUndefined
      )
  }

  const runAs = async <A, E>(effect: Effect.Effect<A, E, CacheServices>, signal: AbortSignal | undefined) => {
    const exit = await runtime.runPromiseExit(effect, { signal })
    if (Exit.isSuccess(exit)) return exit.value
    if (signal?.aborted === true && Cause.hasInterruptsOnly(exit.cause)) throw new Left()
    throw Cause.squash(exit.cause)
  }

  return {
    read: (kind, family, id, signal) => {
      const call = { degraded: false }
      const answer = Effect.map(readers[kind](family, id), (row): Answer => ({ row, degraded: call.degraded }))
      return runAs(Effect.provideService(answer, CurrentCall, call), signal)
    },
    invalidateKey: (key, signal) => runAs(invalidateKey(key), signal),
    invalidateKeys: (keys, signal) => runAs(invalidateKeys(keys), signal),
    invalidateFamily: (family, signal) => runAs(patterns[family], signal),
    invalidateTag: (tag, signal) => runAs(invalidateTags([tag]), signal),
    write: (policy, family, id, signal) => runAs((policy === "fail" ? strict : lenient)[family]({ id }), signal),
    set: (family, id, row, signal) =>
      runAs(
        CacheClient.use((client) =>
          client.set(keyOf(family, id), row, { schema: Sealed, ttl: "1 minute", tags: tagsIn(family, id) })
        ),
        signal
      ),
    isTyped: (error) => error instanceof CacheError,
    close: () => runtime.dispose()
  }
}
