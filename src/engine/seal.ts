/**
 * How a value becomes an entry.
 */
import { Clock, Context, Effect, Exit, Random } from "effect"
import { type CacheEntry, encode, type EntryHeader } from "../CacheEntry.ts"
import { CacheError, EncodeFailed } from "../CacheError.ts"
import type { CacheBackend, Stored, Write } from "../services/CacheBackend.ts"
import { processMillisAt } from "../internal/processTime.ts"
import type { Region } from "../region/region.ts"
import { copyOf } from "./copy.ts"

export interface SealOptions {
  /** For tests: a value that does not come back from its schema as the same, by this measure, is a defect. */
  readonly same?: ((value: unknown, decoded: unknown) => boolean) | undefined
  /** The longest that a value is kept, whatever the region says, counted from the start of its load. */
  readonly maxAgeMillis?: number | undefined
}

/** What the load knows of the entry to be. */
export interface Origin {
  readonly born: number
  readonly createdAt: number
  /** When the load ended, by the time of this process. */
  readonly endedAt: number
  readonly loadMillis: number
  readonly defaultTtl: number
}

/** How long an entry is to live, and its tags. */
interface Life {
  readonly ttlMillis: number
  readonly tags: ReadonlyArray<string>
}

/** An entry ready to be stored. */
export interface Sealed extends Write {
  readonly endedAt: number
  readonly tags: ReadonlyArray<string>
}

export class Sealer {
  /** Values are stored as they are, so `sealHere` is enough. */
  readonly asIs: boolean
  readonly #backend: CacheBackend["Service"]
  readonly #same: SealOptions["same"]
  /** How old a value may be that is kept or shared, counted from the start of its load. */
  readonly maxAgeMillis: number

  constructor(backend: CacheBackend["Service"], options: SealOptions) {
    this.asIs = backend.format === "values" && backend.isolation === "reference"
    this.#backend = backend
    this.#same = options.same
    this.maxAgeMillis = options.maxAgeMillis ?? Infinity
  }

  /**
   * Makes the entry of a value: its TTL and tags, and its stored form. Fails with what the region's functions throw, and has
   * ended already where nothing takes time. `services` are those of the fiber that asks.
   */
  seal(
    region: Region,
    key: string,
    value: unknown,
    params: unknown,
    origin: Origin,
    services: Context.Context<never>
  ): Effect.Effect<Sealed, CacheError, unknown> {
    if (this.asIs) {
      const sealed = this.sealHere(region, key, value, params, origin, services)
      return sealed instanceof CacheError ? Exit.fail(sealed) : Exit.succeed(sealed)
    }
    const life = this.#lifeOf(region, key, value, params, origin, services)
    if (life instanceof CacheError) return Exit.fail(life)
    const { tags, ttlMillis } = life
    const { endedAt } = origin
    const backend = this.#backend
    const sealed = (stored: Stored): Sealed => ({ stored, ttlMillis, endedAt, tags })
    if (backend.format === "values") {
      return Effect.mapBothEager(cloneOf(region, value), {
        onFailure: (cause) => encodeFailed(key, cause),
        onSuccess: (copy) => sealed(entryOf(region, life, origin, copy))
      })
    }
    const encoded =
      this.#same === undefined ? region.codec!.encode(value) : encodeStrictly(region, key, value, this.#same)
    const failed = (cause: unknown) => encodeFailed(key, cause)
    return Effect.flatMapEager(Effect.mapErrorEager(encoded, failed), (json) => {
      try {
        const header = headerOf(region, life, origin)
        return Exit.succeed(sealed(encode(header, json, backend.compressor, region.compressAbove)))
      } catch (cause) {
        return Exit.fail(failed(cause))
      }
    })
  }

  /** `seal` where values are stored as they are: no effect. */
  sealHere(
    region: Region,
    key: string,
    value: unknown,
    params: unknown,
    origin: Origin,
    services: Context.Context<never>
  ): Sealed | CacheError {
    const life = this.#lifeOf(region, key, value, params, origin, services)
    if (life instanceof CacheError) return life
    const { tags, ttlMillis } = life
    return { stored: entryOf(region, life, origin, value), ttlMillis, endedAt: origin.endedAt, tags }
  }

  /** `seal` at the time of the fiber that asks, as an effect. */
  sealNow(
    region: Region,
    key: string,
    value: unknown,
    params: unknown,
    origin: Omit<Origin, "createdAt" | "endedAt">
  ): Effect.Effect<Sealed, CacheError, unknown> {
    return Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const createdAt = clock.currentTimeMillisUnsafe()
      const endedAt = processMillisAt(clock, createdAt)
      return this.seal(region, key, value, params, { ...origin, createdAt, endedAt }, fiber.context)
    })
  }

  #lifeOf(
    region: Region,
    key: string,
    value: unknown,
    params: unknown,
    { defaultTtl, loadMillis }: Origin,
    services: Context.Context<never>
  ): Life | CacheError {
    const { jitter, tagsOf, ttl } = region
    let option: Threw["option"] = "ttl"
    try {
      const wanted = typeof ttl === "function" ? ttl(value, params) : (ttl ?? defaultTtl)
      let ttlMillis = Math.min(wanted, this.maxAgeMillis - loadMillis)
      if (jitter !== 0 && ttlMillis !== Infinity) {
        const random = Context.get(services, Random.Random).nextDoubleUnsafe()
        ttlMillis = Math.max(1, ttlMillis * (1 - jitter * random))
      }
      option = "tags"
      return { ttlMillis, tags: tagsOf === undefined ? region.staticTags : tagsOf(value, params) }
    } catch (cause) {
      return threw(key, option, cause)
    }
  }
}

/** The tags of the entry of a value. */
export const tagsOf = (
  region: Region,
  key: string,
  value: unknown,
  params: unknown
): ReadonlyArray<string> | CacheError => {
  try {
    return region.tagsOf === undefined ? region.staticTags : region.tagsOf(value, params)
  } catch (cause) {
    return threw(key, "tags", cause)
  }
}

/** Of what they returned. Whatever else they throw is theirs. */
const threw = (key: string, option: Threw["option"], cause: unknown): CacheError =>
  cause instanceof CacheError && cause.reason._tag === "InvalidOption"
    ? cause
    : encodeFailed(key, new Threw(option, cause))

/** A function of the region threw. */
export class Threw extends Error {
  override readonly name = "Threw"
  readonly option: "ttl" | "tags"
  constructor(option: Threw["option"], cause: unknown) {
    super(`${option} threw${cause instanceof Error ? `: ${cause.message}` : ""}`, { cause })
    this.option = option
  }
}

const encodeFailed = (key: string, cause: unknown): CacheError =>
  new CacheError({ reason: new EncodeFailed({ key, cause }) })

/** `NaN` where a store has no room to make an epoch anew that was lost: then it is older than any marker. */
const knownOr0 = (born: number): number => (Number.isNaN(born) ? 0 : born)

const headerOf = (region: Region, { tags, ttlMillis }: Life, { born, createdAt, loadMillis }: Origin): EntryHeader => ({
  born: knownOr0(born),
  createdAt,
  freshUntil: createdAt + ttlMillis,
  loadMillis,
  fingerprint: region.fingerprint,
  tags
})

// Not by a spread: it is made on each miss in memory.
const entryOf = (
  region: Region,
  { tags, ttlMillis }: Life,
  { born, createdAt, loadMillis }: Origin,
  value: unknown
): CacheEntry => ({
  born: knownOr0(born),
  createdAt,
  freshUntil: createdAt + ttlMillis,
  loadMillis,
  fingerprint: region.fingerprint,
  tags,
  value
})

/** As `encode`, but a value that its own schema does not give back the same is a defect. */
const encodeStrictly = (
  region: Region,
  key: string,
  value: unknown,
  same: (value: unknown, decoded: unknown) => boolean
) =>
  Effect.gen(function*() {
    const json = yield* region.codec!.encode(value)
    const decoded = yield* region.codec!.decode(json === undefined ? undefined : JSON.parse(JSON.stringify(json)))
    if (!same(value, decoded)) {
      return yield* Effect.die(new Error(`the schema of ${JSON.stringify(key)} does not give back what it was given`))
    }
    return json
  }).pipe(
    Effect.catch((cause) =>
      Effect.die(new Error(`the value of ${JSON.stringify(key)} does not round-trip through its schema`, { cause }))
    )
  )

/**
 * A copy of a value that no caller shares: through the schema where there is one, so that classes stay classes. Fails with
 * `NotCopied` for a value without a schema that would be another one.
 */
export const cloneOf = (region: Region, value: unknown): Effect.Effect<unknown, unknown, unknown> =>
  region.codec === undefined ? attempt(() => copyOf(value)) : region.codec.clone(value)

/** The same of a value that is such a copy, which needs no look at what it is made of. */
export const cloneAgain = (region: Region, stored: unknown): Effect.Effect<unknown, unknown, unknown> =>
  region.codec === undefined ? attempt(() => structuredClone(stored)) : region.codec.clone(stored)

const attempt = (copy: () => unknown): Exit.Exit<unknown, unknown> => {
  try {
    return Exit.succeed(copy())
  } catch (cause) {
    return Exit.fail(cause)
  }
}
