/**
 * One place that holds entries, as the client uses it: the primitives of a backend put together into the trips of the
 * protocol. A client has a primary store, and in-process ones to fall back to.
 */
import { Cause, type Context, Effect, Exit } from "effect"
import { type CacheEntry, type EntryHeader, notJson, open, type OpenEntry } from "../CacheEntry.ts"
import type { CacheError } from "../CacheError.ts"
import { whenFull } from "../internal/noRoom.ts"
import { inOwnWords } from "../internal/ownWords.ts"
import { processNow } from "../internal/processTime.ts"
import { absent } from "../internal/stamp.ts"
import { together } from "../internal/together.ts"
import { twoPasses } from "../protocol/passes.ts"
import { bearsStaticTags, type Found, judge, type MarkerOf, markersOf, type Verdict } from "../protocol/verdict.ts"
import type { Region } from "../region/region.ts"
import type { CacheBackend, FastPath, Give, Intent, LocalPrimitives, Lookup, Stored } from "../services/CacheBackend.ts"
import type { Primitives } from "../services/CachePrimitives.ts"
import type { TagIndex } from "../services/TagIndex.ts"
import { type Claim, claimOutside } from "./claim.ts"
import { Flights } from "./flights.ts"
import { KnownTags } from "./knownTags.ts"
import { type Asking, askingOf, type Leave } from "./lookup.ts"
import { momentOf } from "./moment.ts"
import { Orphans } from "./orphans.ts"
import { Suspects } from "./suspects.ts"
import { type Sealed, Sealer, type SealOptions } from "./seal.ts"

export interface StoreOptions extends SealOptions {
  /** Counts what makes all loads before it doubtful: see `catchUp`. For local reads. */
  readonly answers?: (() => number) | undefined
  /** Told of the payload of a valid entry of the region's schema that is none of its values. */
  readonly undecoded?: ((region: Region, cause: unknown) => Effect.Effect<void>) | undefined
}

const unreadable = inOwnWords(
  new Error("its payload is cut or no JSON, or packed in a way that this process does not know")
)

const noneAsked: MarkerOf = () => "unasked"

/** Invalidating it moves the epoch on. No entry bears it. */
const answeredTag = "(answered)"

/** The most markers that are asked for together with many entries; an entry with others costs one more trip. */
const knownTagsMax = 1_000

/** Not looked at with so few: only under the smallest of bounds is there no room for their markers. */
const fewTags = 16

export class Store implements Primitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  /** The epoch of now; `NaN` where it was lost, and there is no room to make it anew. */
  readonly epoch: Effect.Effect<number, CacheError>
  /** It is asked without a trip, and tells before `look` returns. */
  readonly inPlace: boolean
  readonly flights = new Flights()
  readonly orphans: Orphans
  readonly suspects = new Suspects()
  readonly sealer: Sealer
  readonly #known = new KnownTags()
  /** Of a store in this process. */
  readonly #local: LocalPrimitives | undefined
  readonly #markerOf: MarkerOf
  readonly #fast: FastPath | undefined
  /** Of any other. */
  readonly #asking: Asking

  readonly #same: StoreOptions["same"]
  /** Whether callers of one read may be given one object. */
  readonly #shares: boolean
  readonly #answers: (() => number) | undefined
  readonly #undecoded: StoreOptions["undecoded"]
  /** The count at the last `catchUp`. */
  #caughtUp = 0
  /** Entries that were born before this epoch are stale. */
  #since = 0

  constructor(primitives: Primitives, options: StoreOptions = {}) {
    this.backend = primitives.backend
    this.orphans = new Orphans(primitives.backend)
    this.sealer = new Sealer(primitives.backend, options)
    this.tags = primitives.tags
    // Equal to no other, so nobody joins by it.
    this.epoch = whenFull(primitives.tags.epoch, () => Effect.succeed(Number.NaN))
    this.#local = primitives.backend.local
    this.inPlace = this.#local !== undefined
    const { local } = primitives.backend
    this.#markerOf = local === undefined ? noneAsked : (tag) => local.marker(tag)
    this.#fast = primitives.backend.fast
    this.#asking = askingOf(primitives)
    this.#same = options.same
    this.#shares = primitives.backend.isolation === "reference"
    this.#answers = options.answers
    this.#undecoded = options.undecoded
  }

  /**
   * To be run before a caller turns to this store from one that failed. If that one has answered somebody since the last
   * time, what was loaded here before is not used any more, and loads under way are not joined: with the next epoch, they
   * are as old as if a tag of theirs had been invalidated. The same of a load that began too long ago: with its lease, it is
   * as old as if its key had been invalidated.
   */
  catchUp(key: string, maxAgeMillis: number): Effect.Effect<void> {
    return Effect.andThen(
      this.#forgetAnswered,
      Effect.map(processNow, (now) => this.#overtake(key, now - maxAgeMillis))
    )
  }

  readonly #forgetAnswered: Effect.Effect<void> = Effect.suspend(() => {
    const answers = this.#answers?.() ?? 0
    if (answers === this.#caughtUp) return Effect.void
    return Effect.map(Effect.ignore(this.tags.invalidate([answeredTag])), () => {
      // Not before it is done, or another caller would go on without it.
      this.#caughtUp = answers
      this.#since = this.backend.local!.epoch()
    })
  })

  #overtake(key: string, since: number): void {
    const holder = this.#local?.holder(key)
    if (holder === undefined) return
    const flight = this.flights.holding(key, holder)
    if (flight !== undefined && flight.startedAt <= since) this.#local!.release(key, holder)
  }

  /**
   * What a store in this process holds for a key. No trip, so the answer is told in place, and is no effect. `now` is that of
   * the moment (`moment.ts`).
   */
  here(region: Region, key: string, now: number): Found {
    const entry = this.#local!.get(key, now)
    if (entry === undefined) return "miss"
    const verdict = this.#judge(region, entry, this.#markerOf)
    // Every marker was asked for, so none is unknown.
    return verdict === "valid" ? entry : (verdict as Exclude<typeof verdict, "unknown">)
  }

  /**
   * Reads one key, whatever the store: tells `done`, once, with an effect that has ended already in most cases. In this process
   * that is `here`; elsewhere it is trip 1, for the entry and, in the same flush, for the markers of the tags known beforehand.
   * `lookMany` reads many, and `pick` is the one-step hit of a store in this process; all end in one judgement.
   *
   * `services` are those of the fiber that asks.
   */
  look(
    region: Region,
    key: string,
    services: Context.Context<never>,
    done: (found: Effect.Effect<Found, CacheError, unknown>) => void
  ): Leave {
    if (this.inPlace) {
      done(Exit.succeed(this.here(region, key, momentOf(services).now())))
      return undefined
    }
    const known = this.#known.of(key, region)
    return this.#asking.lookup(key, known, services, (exit) => {
      if (Exit.isFailure(exit)) return done(exit as Exit.Exit<never, CacheError>)
      let found: Effect.Effect<Found, CacheError, unknown>
      try {
        const { markers, shared, stored } = exit.value
        found = this.#open(region, key, stored, known, markers, this.#shares ? shared : undefined)
      } catch (defect) {
        // Whoever waits must hear of it: nobody else does.
        found = Exit.die(defect)
      }
      done(found)
    })
  }

  /** `look`, as an effect. */
  read(region: Region, key: string): Effect.Effect<Found, CacheError, unknown> {
    return Effect.withFiber((fiber) => Effect.callback((tell) => this.look(region, key, fiber.context, tell)))
  }

  /**
   * The hit of one step: the value of a valid entry in this process, or `absent`, and then `look` says why. What bears no tag
   * is told by its stamp alone.
   */
  pick(region: Region, key: string, now: number): unknown {
    if (region.stamp !== 0 && this.#since === 0 && this.#fast?.pick !== undefined) {
      const value = this.#fast.pick(key, region.stamp, now)
      if (value !== absent || region.tagsOf === undefined) return value
    }
    const found = this.here(region, key, now)
    return typeof found === "object" ? found.value : absent
  }

  /** `look` for many keys: one trip, and one more for all whose tags turned up only in the header. */
  lookMany(region: Region, keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Found>, CacheError, unknown> {
    if (this.inPlace) {
      return Effect.withFiber((fiber) => {
        const now = momentOf(fiber.context).now()
        return Effect.succeed(keys.map((key) => this.here(region, key, now)))
      })
    }
    const wanted = new Set<string>()
    for (const key of keys) {
      for (const tag of this.#known.of(key, region)) if (wanted.size < knownTagsMax) wanted.add(tag)
    }
    const known = [...wanted]
    return Effect.flatMap(this.#asking.lookupMany(keys, known), ({ markers, stored }) => {
      const found = new Array<Found>(keys.length)
      const later: Array<Effect.Effect<void, CacheError, unknown>> = []
      for (let i = 0; i < keys.length; i++) {
        const opened = this.#open(region, keys[i]!, stored[i], known, markers)
        const exit = Exit.isExit(opened) ? (opened as Exit.Exit<Found, CacheError>) : undefined
        if (exit?._tag === "Success") found[i] = exit.value
        else {
          later.push(
            Effect.map(opened, (entry) => {
              found[i] = entry
            })
          )
        }
      }
      return later.length === 0
        ? Effect.succeed(found)
        : Effect.as(Effect.all(later, { concurrency: "unbounded", discard: true }), found)
    })
  }

  /** Whether an entry is one of this region, and valid. */
  #judge(region: Region, entry: EntryHeader, markerOf: MarkerOf): Verdict | "miss" {
    if (entry.fingerprint !== region.fingerprint) return "miss"
    if (entry.born < this.#since || !bearsStaticTags(entry.tags, region)) return "stale"
    return judge(entry, markerOf)
  }

  /** Judges by the header; only the payload of an entry that is valid is looked at. */
  #open(
    region: Region,
    key: string,
    stored: Stored | undefined,
    known: ReadonlyArray<string>,
    markers: ReadonlyArray<number | undefined>,
    shared?: Lookup["shared"]
  ): Effect.Effect<Found, CacheError, unknown> {
    if (stored === undefined) return told.miss
    const before = shared?.opened as Opened | undefined
    const opened = before?.region === region ? before : undefined
    const entry = opened !== undefined ? opened.entry : stored instanceof Uint8Array ? open(stored) : stored
    if (entry === undefined) return told.miss
    const verdict = this.#judge(region, entry, known.length === 0 ? noneAsked : markersOf(known, markers))
    // Also of one that is stale: whoever comes next asks for all its markers at once.
    if (verdict !== "miss" && bearsStaticTags(entry.tags, region)) this.#known.remember(key, entry.tags, region)
    if (verdict === "valid") {
      if (opened !== undefined) return opened.found
      const found = this.#value(region, entry)
      if (shared !== undefined) shared.opened = { region, entry, found } satisfies Opened
      return found
    }
    if (verdict !== "unknown") return told[verdict]
    // A tag that turned up only in the header costs one more trip, once.
    return Effect.flatMap(this.tags.markers(entry.tags), (found) => {
      const verdict = this.#judge(region, entry, markersOf(entry.tags, found))
      return verdict === "valid" ? this.#value(region, entry) : verdict === "unsettled" ? told.unsettled : told.stale
    })
  }

  #value(region: Region, entry: OpenEntry | CacheEntry): Effect.Effect<Found, never, unknown> {
    if ("value" in entry) return Effect.succeed(entry)
    const { tags } = entry
    const json = entry.json(this.backend.compressor)
    if (json === notJson) return this.#unread(region, unreadable)
    const decoded = region.codec!.decode(json)
    // The usual codec is synchronous, and its result already there.
    if (this.#same === undefined && Exit.isExit(decoded)) {
      return Exit.isSuccess(decoded)
        ? Exit.succeed({ value: decoded.value, tags })
        : this.#unread(region, Cause.squash(decoded.cause))
    }
    const found = Effect.map(decoded, (value) => ({ value, tags }))
    return this.#same === undefined ? Effect.catch(found, (cause) => this.#unread(region, cause)) : Effect.orDie(found)
  }

  #unread(region: Region, cause: unknown): Effect.Effect<Found> {
    return this.#undecoded === undefined ? told.miss : Effect.andThen(this.#undecoded(region, cause), told.miss)
  }

  /**
   * Trip 2: the lease, and the epoch in the same flush, both before the load starts. The entry is looked at once more, after
   * the lease: it may have been filled since the first look, and then there is nothing to load.
   */
  claim(region: Region, key: string, token: string, ttlMillis: number): Effect.Effect<Claim, CacheError, unknown> {
    const { backend, tags } = this
    if (backend.local !== undefined) {
      return Effect.flatMap(backend.acquire(key, token, ttlMillis), (holder) =>
        Effect.map(tags.epoch, (epoch) => ({ holder, epoch, found: "miss", refused: undefined }))
      )
    }
    return claimOutside(backend.acquire(key, token, ttlMillis), this.epoch, (services, done) =>
      this.look(region, key, services, done)
    )
  }

  /** Takes the lease over from whoever holds it, but for writes, and reads the epoch in the same flush. */
  takeOver(
    key: string,
    token: string,
    ttlMillis: number,
    as: "write" | "refresh" | "set",
    give?: Give,
    intent?: Intent
  ) {
    const taken = this.backend.takeOver(key, token, ttlMillis, as, give, intent)
    return Effect.map(together(taken, this.epoch), ([{ holder, intended, unlinked }, epoch]) => ({
      holder,
      unlinked,
      intended,
      epoch
    }))
  }

  /**
   * The fenced fill, with the markers of its tags made sure of first: in the same flush, or in this process in the same
   * evaluation.
   */
  fill(
    region: Region,
    key: string,
    token: string,
    sealed: Sealed,
    onLost: "keep" | "unlink" | "empty",
    intended?: () => void
  ): Effect.Effect<boolean, CacheError> {
    if (this.inPlace && onLost === "keep") return Exit.succeed(this.fillHere(key, token, sealed))
    const { tags, ttlMillis } = sealed
    const fill = this.backend.fill(key, token, sealed, onLost, intended)
    if (tags.length === 0) return fill
    this.#known.remember(key, tags, region)
    // An entry without its markers is stale.
    const ensure = whenFull(this.tags.ensure(tags, ttlMillis), () => Effect.void)
    return Effect.map(together(ensure, fill), ([, filled]) => filled)
  }

  /** The same in this process, with `"keep"`. */
  fillHere(key: string, token: string, { endedAt, stored, tags, ttlMillis }: Sealed): boolean {
    const local = this.#local!
    if (tags.length > 0) local.ensure(tags)
    return local.fill(key, token, stored as CacheEntry, ttlMillis, endedAt)
  }

  /** Whether an entry in this process that was stored a moment ago is stale: of its tags there are more than markers are kept of. */
  lacksMarkers(tags: ReadonlyArray<string>): boolean {
    const local = this.#local
    return local !== undefined && tags.length > fewTags && tags.some((tag) => local.marker(tag) === undefined)
  }

  /** Gives a lease back: at once, or as soon as the store answers. */
  giveBack(key: string, token: string, leaseMillis: number): Effect.Effect<void> {
    return Effect.catch(Effect.asVoid(this.backend.release(key, token, "keep")), () =>
      this.orphans.add(key, token, leaseMillis)
    )
  }

  /** Both passes. The guard of a store outside this process makes them in one, so that both are seen to their end. */
  removeMatching(pattern: string): Effect.Effect<number, CacheError> {
    const removal = this.backend.removeMatching(pattern)
    return this.backend.local === undefined ? removal : twoPasses(removal)
  }

  /** Adds tags to a valid entry. The check and the change are two steps: an entry stored in between gets the tags too. */
  addTags(key: string, tags: ReadonlyArray<string>): Effect.Effect<boolean, CacheError> {
    return Effect.flatMap(this.backend.read(key), (stored) => {
      const header = stored instanceof Uint8Array ? open(stored) : stored
      if (header === undefined) return Effect.succeed(false)
      return Effect.flatMap(
        header.tags.length === 0 ? Effect.succeed([]) : this.tags.markers(header.tags),
        (markers) => {
          if (judge(header, markersOf(header.tags, markers)) !== "valid") return Effect.succeed(false)
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
}

/** What the first of those who share a read made of the entry. */
interface Opened {
  readonly region: Region
  readonly entry: OpenEntry | CacheEntry
  readonly found: Effect.Effect<Found, never, unknown>
}

/** Made once: what is not there is told often. */
const told = {
  miss: Exit.succeed<Found>("miss"),
  stale: Exit.succeed<Found>("stale"),
  unsettled: Exit.succeed<Found>("unsettled")
} as const
