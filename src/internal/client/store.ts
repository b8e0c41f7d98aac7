/**
 * One place that holds entries, as the client uses it: the primitives of a backend put together into the trips of the
 * protocol. A client has a primary store, and in-process ones to fall back to.
 */
import { Clock, Effect, Exit, Random } from "effect"
import { type CacheEntry, decode, encode, type EntryHeader } from "../../CacheEntry.ts"
import { CacheError, EncodeFailed } from "../../CacheError.ts"
import type { Region } from "../region.ts"
import type { CacheBackend, Stored, Write } from "../../services/CacheBackend.ts"
import type { TagIndex } from "../../services/TagIndex.ts"
import { Flights } from "./flights.ts"
import { Orphans } from "./orphans.ts"
import { together } from "./together.ts"

export interface Primitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
}

export interface StoreOptions {
  /** For tests: a value that does not come back from its schema as the same, by this measure, is a defect. */
  readonly same?: ((value: unknown, decoded: unknown) => boolean) | undefined
  /** The longest TTL, whatever the region says. */
  readonly maxTtlMillis?: number | undefined
  /** Counts what makes all loads before it doubtful: see `catchUp`. For local reads. */
  readonly answers?: (() => number) | undefined
}

/**
 * What a read found: a valid entry, one that is no longer valid, or nothing that can be read. `"unsettled"`: an entry with a
 * tag whose marker is being created; it will be valid in a moment, if no invalidation comes first.
 */
export type Found = CacheEntry | "stale" | "unsettled" | "miss"

const noTags: ReadonlyArray<string> = []

/** Invalidating it moves the epoch on. No entry bears it. */
const answeredTag = "(answered)"

/** Keys whose tags are remembered, so that their markers can be asked for together with the entry. */
const rememberedKeys = 16_384
/** An entry with more tags costs one more trip, and no memory here. */
const rememberedTags = 64

export class Store implements Primitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  readonly flights = new Flights()
  readonly orphans: Orphans
  readonly #lastTags = new Map<string, ReadonlyArray<string>>()

  readonly #same: StoreOptions["same"]
  readonly #maxTtlMillis: number
  readonly #answers: (() => number) | undefined
  /** The count at the last `catchUp`. */
  #caughtUp = 0
  /** Entries that were born before this epoch are stale. */
  #since = 0

  constructor(primitives: Primitives, options?: StoreOptions) {
    this.backend = primitives.backend
    this.orphans = new Orphans(primitives.backend)
    this.tags = primitives.tags
    this.#same = options?.same
    this.#maxTtlMillis = options?.maxTtlMillis ?? Infinity
    this.#answers = options?.answers
  }

  /**
   * To be run before a caller turns to this store from one that failed. If that one has answered somebody since the last
   * time, what was loaded here before is not used any more, and loads under way are not joined: with the next epoch, they
   * are as old as if a tag of theirs had been invalidated.
   */
  readonly catchUp: Effect.Effect<void> = Effect.suspend(() => {
    const answers = this.#answers?.() ?? 0
    if (answers === this.#caughtUp) return Effect.void
    return Effect.map(Effect.ignore(this.tags.invalidate([answeredTag])), () => {
      // Not before it is done, or another caller would go on without it.
      this.#caughtUp = answers
      this.#since = this.backend.local!.epoch()
    })
  })

  /** A read without a trip. Only for a store with local reads. */
  readLocal(region: Region, key: string, now: number): Found {
    const local = this.backend.local!
    const entry = local.get(key, now)
    if (entry === undefined || entry.fingerprint !== region.fingerprint) return "miss"
    const { born, tags } = entry
    if (born < this.#since) return "stale"
    // Evidence missing means stale (R3): a marker that is gone may have been an invalidation.
    for (let i = 0; i < tags.length; i++) {
      const marker = local.marker(tags[i]!)
      if (marker === undefined || marker > born) return "stale"
    }
    return bearsStaticTags(tags, region) ? entry : "stale"
  }

  /** Trip 1: the entry and, in the same flush, the markers of the tags known beforehand. */
  read(region: Region, key: string): Effect.Effect<Found, CacheError, unknown> {
    const { backend } = this
    if (backend.local !== undefined) {
      return Effect.withFiber((fiber) =>
        Effect.succeed(this.readLocal(region, key, fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()))
      )
    }
    const known = this.#lastTags.get(key) ?? region.staticTags
    return known.length === 0
      ? Effect.flatMap(backend.read(key), (stored) => this.#open(region, key, stored, noTags, []))
      : Effect.flatMap(together(backend.read(key), this.tags.markers(known)), ([stored, markers]) =>
          this.#open(region, key, stored, known, markers)
        )
  }

  #open(
    region: Region,
    key: string,
    stored: Stored | undefined,
    known: ReadonlyArray<string>,
    markers: ReadonlyArray<number | undefined>
  ): Effect.Effect<Found, CacheError, unknown> {
    if (stored === undefined) return miss
    const parsed = stored instanceof Uint8Array ? decode(stored, this.backend.compressor) : stored
    if (parsed === undefined || parsed.fingerprint !== region.fingerprint) return miss
    if (!bearsStaticTags(parsed.tags, region)) return stale
    this.#remember(key, parsed.tags, known)
    const verdict = judge(parsed, known, markers)
    if (verdict === "valid") return this.#value(region, parsed)
    if (verdict !== "unknown") return Exit.succeed(verdict)
    // A tag that turned up only in the header costs one more trip, once.
    return Effect.flatMap(this.tags.markers(parsed.tags), (found) => {
      const verdict = judge(parsed, parsed.tags, found)
      return verdict === "valid" ? this.#value(region, parsed) : verdict === "unsettled" ? Exit.succeed(verdict) : stale
    })
  }

  #value(
    region: Region,
    parsed: (EntryHeader & { readonly json: unknown }) | CacheEntry
  ): Effect.Effect<Found, never, unknown> {
    if ("value" in parsed) return Effect.succeed(parsed)
    const decoded = region.codec!.decode(parsed.json)
    // The usual codec is synchronous, and its result already there.
    if (this.#same === undefined && Exit.isExit(decoded)) {
      return Exit.isSuccess(decoded) ? Effect.succeed(withValue(parsed, decoded.value)) : miss
    }
    const entry = Effect.map(decoded, (value) => withValue(parsed, value))
    return this.#same === undefined ? Effect.catch(entry, () => miss) : Effect.orDie(entry)
  }

  #remember(key: string, tags: ReadonlyArray<string>, known: ReadonlyArray<string>): void {
    if (tags === known || tags.length > rememberedTags || sameTags(tags, known)) return
    if (this.#lastTags.size >= rememberedKeys && !this.#lastTags.has(key)) {
      this.#lastTags.delete(this.#lastTags.keys().next().value!)
    }
    this.#lastTags.set(key, tags)
  }

  /**
   * Trip 2: the lease, and the epoch in the same flush, both before the load starts. The entry is looked at once more, after
   * the lease: it may have been filled since the first look, and then there is nothing to load.
   */
  claim(region: Region, key: string, token: string, ttlMillis: number): Effect.Effect<Claim, CacheError, unknown> {
    const { backend, tags } = this
    const acquire = backend.acquire(key, token, ttlMillis)
    return backend.local === undefined
      ? Effect.map(together(acquire, together(tags.epoch, this.read(region, key))), ([holder, [epoch, found]]) => ({
          holder,
          epoch,
          found
        }))
      : Effect.flatMap(acquire, (holder) => Effect.map(tags.epoch, (epoch) => ({ holder, epoch, found: "miss" })))
  }

  /** Takes the lease over from whoever holds it, and reads the epoch in the same flush. */
  takeOver(key: string, token: string, ttlMillis: number, unlink: boolean): Effect.Effect<number, CacheError> {
    return Effect.map(
      together(this.backend.takeOver(key, token, ttlMillis, { unlink }), this.tags.epoch),
      ([, epoch]) => epoch
    )
  }

  /** The fenced fill, with the markers of its tags made sure of first, in the same flush. */
  fill(key: string, token: string, sealed: Sealed, onLost: "keep" | "unlink"): Effect.Effect<boolean, CacheError> {
    const { tags, write } = sealed
    const fill = this.backend.fill(key, token, write, onLost)
    if (tags.length === 0) return fill
    this.#remember(key, tags, noTags)
    return Effect.map(together(this.tags.ensure(tags, write.ttlMillis), fill), ([, filled]) => filled)
  }

  /** Adds tags to a valid entry. The check and the change are two steps: an entry stored in between gets the tags too. */
  addTags(key: string, tags: ReadonlyArray<string>): Effect.Effect<boolean, CacheError> {
    return Effect.flatMap(this.backend.read(key), (stored) => {
      const header = stored instanceof Uint8Array ? decode(stored, this.backend.compressor) : stored
      if (header === undefined) return Effect.succeed(false)
      return Effect.flatMap(
        header.tags.length === 0 ? Effect.succeed([]) : this.tags.markers(header.tags),
        (markers) => {
          if (judge(header, header.tags, markers) !== "valid") return Effect.succeed(false)
          // The markers outlive the TTL the entry was stored with, of which some has passed.
          const ttlMillis = Math.max(1, header.freshUntil - header.createdAt)
          return Effect.map(
            together(this.tags.ensure(tags, ttlMillis), this.backend.addTags(key, tags)),
            ([, added]) => added
          )
        }
      )
    })
  }

  /** Makes the entry of a value: its TTL and tags, and its stored form. Fails with what the region's functions throw. */
  seal(
    region: Region,
    key: string,
    value: unknown,
    params: unknown,
    options: {
      readonly born: number
      readonly loadMillis: number
      readonly defaultTtl: number
    }
  ): Effect.Effect<Sealed, CacheError, unknown> {
    return Effect.flatMap(Random.next, (random) =>
      Effect.withFiber<Sealed, CacheError, unknown>((fiber) => {
        let ttlMillis: number
        let tags: ReadonlyArray<string>
        try {
          const wanted =
            typeof region.ttl === "function" ? region.ttl(value, params) : (region.ttl ?? options.defaultTtl)
          const ttl = Math.min(wanted, this.#maxTtlMillis)
          ttlMillis = region.jitter === 0 || ttl === Infinity ? ttl : Math.max(1, ttl * (1 - region.jitter * random))
          tags = region.tagsOf === undefined ? region.staticTags : region.tagsOf(value, params)
        } catch (cause) {
          return Effect.fail(cause instanceof CacheError ? cause : encodeFailed(key, cause))
        }
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const header: EntryHeader = {
          born: options.born,
          createdAt: now,
          freshUntil: now + ttlMillis,
          loadMillis: options.loadMillis,
          fingerprint: region.fingerprint,
          tags
        }
        const { backend } = this
        if (backend.format === "values") {
          const entry = (value: unknown): Sealed => ({ tags, write: { stored: withValue(header, value), ttlMillis } })
          return backend.isolation === "clone"
            ? Effect.mapBoth(cloneOf(region, value), {
                onFailure: (cause) => encodeFailed(key, cause),
                onSuccess: entry
              })
            : Effect.succeed(entry(value))
        }
        const encoded =
          this.#same === undefined ? region.codec!.encode(value) : encodeStrictly(region, key, value, this.#same)
        return Effect.matchEffect(encoded, {
          onFailure: (cause) => Effect.fail(encodeFailed(key, cause)),
          onSuccess: (json) =>
            Effect.try({
              try: () => ({
                tags,
                write: { stored: encode(header, json, backend.compressor, region.compressAbove), ttlMillis }
              }),
              catch: (cause) => encodeFailed(key, cause)
            })
        })
      })
    )
  }
}

/** Who holds the lease, and the epoch and the entry of the same moment. */
export interface Claim {
  readonly holder: string
  readonly epoch: number
  readonly found: Found
}

/** An entry ready to be stored. */
export interface Sealed {
  readonly tags: ReadonlyArray<string>
  readonly write: Write
}

const miss: Effect.Effect<Found> = Effect.succeed("miss")
const stale: Effect.Effect<Found> = Effect.succeed("stale")

const encodeFailed = (key: string, cause: unknown): CacheError =>
  new CacheError({ reason: new EncodeFailed({ key, cause }) })

const withValue = (header: EntryHeader, value: unknown): CacheEntry => ({
  born: header.born,
  createdAt: header.createdAt,
  freshUntil: header.freshUntil,
  loadMillis: header.loadMillis,
  fingerprint: header.fingerprint,
  tags: header.tags,
  value
})

/** An entry written before its region bore a tag cannot be reached by it, so it does not count. */
const bearsStaticTags = (tags: ReadonlyArray<string>, { staticTags }: Region): boolean => {
  if (tags === staticTags) return true
  for (let i = 0; i < staticTags.length; i++) {
    if (!tags.includes(staticTags[i]!)) return false
  }
  return true
}

const sameTags = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((tag, i) => tag === b[i])

/** Whether an entry is valid by these markers. `"unknown"`: it bears a tag whose marker was not asked for. */
const judge = (
  { born, tags }: EntryHeader,
  known: ReadonlyArray<string>,
  markers: ReadonlyArray<number | undefined>
): "valid" | "stale" | "unsettled" | "unknown" => {
  let verdict: "valid" | "unsettled" | "unknown" = "valid"
  for (let i = 0; i < tags.length; i++) {
    const at = known[i] === tags[i] ? i : known.indexOf(tags[i]!)
    if (at === -1) {
      verdict = "unknown"
      continue
    }
    // Evidence missing means stale (R3): a marker that is gone may have been an invalidation.
    const marker = markers[at]
    if (marker === undefined) return "stale"
    if (marker === Infinity) {
      if (verdict === "valid") verdict = "unsettled"
    } else if (marker > born) return "stale"
  }
  return verdict
}

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

/** A copy of a value that no caller shares: through the schema where there is one, so that classes stay classes. */
export const cloneOf = (region: Region, value: unknown): Effect.Effect<unknown, unknown, unknown> =>
  region.codec === undefined
    ? Effect.try({ try: () => structuredClone(value), catch: (cause) => cause })
    : region.codec.clone(value)
