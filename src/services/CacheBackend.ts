/**
 * The contract of a place that holds entries and the leases that fence them.
 *
 * A backend is dumb on purpose: it offers atomic primitives, and `CacheClient` holds all policy. Whoever writes a
 * backend implements this, `TagIndex` and `LockStore`, makes a layer of the three with `CacheLayer.make`, and runs the
 * conformance kit of `effect-cache/testing` on them; `docs/testing.md` shows how.
 *
 * **Rules every backend keeps**
 *
 * - Keys are the logical keys of `CacheKey`: any string. A backend escapes them for its store, injectively.
 * - Each primitive is atomic on its own, and does nothing it is not asked to. Where one removes an entry and changes its
 *   lease, these may be two steps, the lease first: a load in flight must not store between them.
 * - A primitive queues its commands at once when it is run, before its first suspension, so that primitives started in the
 *   same tick share one flush. What writes is carried out in the order in which it was started; what only reads, at any
 *   place in the flush behind the writes that were started before it: it may see those that were started after it.
 * - Every primitive ends: within the backend's deadline it succeeds or fails with `TimedOut` or `Unavailable`; of a very long list
 *   or a very large burst, each part within the deadline. That it has
 *   become unavailable the backend logs itself, as one warning an outage.
 * - A backend that is full fails `acquire`, `addTags`, and of its `TagIndex` `epoch` and `ensure`, with `NoRoom`, which is no outage.
 *   A `fill` it refuses is a lost one, and drops the lease; a `takeOver` removes the lease that is there, and the entry if it is to
 *   be unlinked, and completes. Invalidations need no room.
 * - Bytes that a backend did not write itself are `undefined` or a miss, never a crash.
 */
import { Context, type Effect, type Exit } from "effect"
import type { CacheEntry, Compressor } from "../CacheEntry.ts"
import type { CacheError } from "../CacheError.ts"

/** What a backend stores for a key: bytes when its format is `"bytes"`, the decoded entry when it is `"values"`. */
export type Stored = Uint8Array | CacheEntry

/** What was found of an entry and of some markers, in the order of their tags. */
export interface Lookup {
  readonly stored: Stored | undefined
  readonly markers: ReadonlyArray<number | undefined>
  /**
   * Present when others asked for the same entry at the same moment, and are told the same `stored` and this object: the client
   * keeps in it what the first of them made of the bytes.
   */
  readonly shared?: { opened?: unknown } | undefined
}

/** The same of several entries, in the order of their keys. */
export interface Lookups {
  readonly stored: ReadonlyArray<Stored | undefined>
  readonly markers: ReadonlyArray<number | undefined>
}

/**
 * What is there for speed alone. A backend without it is read by `read` and `markers`, and gives the same answers; each member
 * may be left out. Write it last, and only if a profile asks for it.
 */
export interface FastPath {
  /**
   * What `read` gives for the key, and what the `markers` of its `TagIndex` gives for the tags, asked for together: tells
   * `done`, once, within the deadline. No effect, because effects would be most of what a hit costs.
   */
  readonly lookup?:
    | ((key: string, tags: ReadonlyArray<string>, done: (exit: Exit.Exit<Lookup, CacheError>) => void) => void)
    | undefined

  /** The same for many keys, as an effect. */
  readonly lookupMany?:
    | ((keys: ReadonlyArray<string>, tags: ReadonlyArray<string>) => Effect.Effect<Lookups, CacheError>)
    | undefined

  /**
   * What `removeMatching` does, for each of many patterns, in one pass for all of them. Without it, each pattern that is made up
   * for after an outage takes passes of its own.
   */
  readonly removeMatchingAny?: ((patterns: ReadonlyArray<string>) => Effect.Effect<number, CacheError>) | undefined

  /**
   * For the memory of this package, whose hits are one step: the value that `local.get` finds, if its entry bears no tag and
   * has the fingerprint of this stamp; otherwise a symbol that says so.
   */
  readonly pick?: ((key: string, stamp: number, now: number) => unknown) | undefined
}

/** How big a store is, and whether the numbers speak of this process or of a server that others use too. */
export interface BackendUsage {
  readonly scope: "process" | "server"
  /** Entries held. On a server this may be an estimate. */
  readonly entries: number
  /** Bytes held: of the entries in a process, of the whole data set on a server. */
  readonly bytes: number
  /** Entries dropped to make room, since start. */
  readonly evictions: number
}

/** An entry to write. */
export interface Write {
  readonly stored: Stored
  /** Hard time to live in milliseconds, at least 1; `Infinity` for none. */
  readonly ttlMillis: number
}

/** How much of the entry that a take-over unlinks is asked for. */
export type Give = "header" | "entry"

/** What a take-over gives back. */
export interface TakenOver {
  /** The token, or what the lease of writes says that is in its place. */
  readonly holder: string
  /** Of the entry that was unlinked, what was asked for. Of bytes it may be cut somewhere behind the header. */
  readonly unlinked?: Stored | undefined
  /** The intent stands beside the lease; completes when it is in the index, too. Absent where it was not put down. */
  readonly intended?: Effect.Effect<void, CacheError> | undefined
}

/**
 * Primitives that answer without an Effect, for a backend whose entries live in this process: the same as those of the
 * backend, and of its `TagIndex`, that have their names. Reads, and the leases and fills of loads, go by these and not by their
 * namesakes: whoever wraps one wraps the other.
 *
 * The `now` they are given is `CacheLayer.now`: milliseconds that never go back, whatever becomes of the clock. An entry that
 * is filled at one `now` has ended at the first that is `ttlMillis` later.
 */
export interface LocalPrimitives {
  /** The entry of `key` when it is present and not past its hard TTL at `now`. */
  readonly get: (key: string, now: number) => CacheEntry | undefined
  /** The marker of `tag`, `undefined` when there is none. */
  readonly marker: (tag: string) => number | undefined
  /** The token that holds the lease of `key`, `undefined` when nobody does. */
  readonly holder: (key: string) => string | undefined
  /** The epoch of now. */
  readonly epoch: () => number
  /** Takes the lease of `key` if nobody holds it; returns the token of the holder. */
  readonly acquire: (key: string, token: string) => string
  /** Makes sure that each tag has a marker. */
  readonly ensure: (tags: ReadonlyArray<string>) => void
  /** The fenced fill: writes the entry and drops the lease if `token` holds it; otherwise changes nothing (`false`). */
  readonly fill: (key: string, token: string, entry: CacheEntry, ttlMillis: number, now: number) => boolean
  /** Drops the lease if `token` holds it. */
  readonly release: (key: string, token: string) => boolean
}

/** What a write is going to make invalid besides its own key. */
export interface Intent {
  readonly keys: ReadonlyArray<string>
  readonly patterns: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
}

/** Beside which key, and whose. */
export interface IntentPlace {
  readonly key: string
  readonly token: string
}

/** An intent that has ended: its writer has neither dropped nor renewed it in time. */
export interface EndedIntent extends IntentPlace {
  /** Another one whenever it was put or renewed: by it `settle` tells whether it still is what was carried out. */
  readonly text: string
  readonly intent: Intent
}

/** Where an intent is, as the index has it. */
export interface IndexedIntent extends IntentPlace {
  /** Another one whenever the index was told of it. */
  readonly mark: string
}

/** What a sweep has found. */
export interface Sweep {
  readonly found: ReadonlyArray<IndexedIntent>
  /** When it is the turn of the next sweep, in milliseconds from now; 0 where there may be more than were found. */
  readonly waitMillis: number
}

/**
 * What writes are going to invalidate, put down so that others carry it out for a writer that dies (`docs/protocol.md`). For a
 * store that outlives its writers. Keys are any strings; tokens are of printable ASCII without spaces, at most 256 of them.
 * The times are the store's. What is stored and no intent has ended and is empty, or is removed.
 */
export interface Intents {
  /**
   * Puts an intent down beside the lease of `key`, to end in `ttlMillis`, and in the index, and completes when both are done. It
   * replaces what the token had put there, and leaves what others have. `false`: the store may not keep any. Fails with `NoRoom`
   * where it is full.
   */
  readonly put: (key: string, token: string, intent: Intent, ttlMillis: number) => Effect.Effect<boolean, CacheError>

  /** Moves the end to `ttlMillis` from now, also where it has passed. `false`: it is not there. Needs no room. */
  readonly renew: (key: string, token: string, ttlMillis: number) => Effect.Effect<boolean, CacheError>

  /** Removes what each of these tokens had put beside its key: it was carried out by its writer. */
  readonly drop: (all: ReadonlyArray<IntentPlace>) => Effect.Effect<void, CacheError>

  /** Those beside this key that have ended; of very many, some. */
  readonly ended: (key: string) => Effect.Effect<ReadonlyArray<EndedIntent>, CacheError>

  /** Removes one that was carried out, if it still says the same. The index keeps it until it is forgotten. */
  readonly settle: (ended: EndedIntent) => Effect.Effect<boolean, CacheError>

  /**
   * Those of the index that seem to have ended, at most `limit`; each is found once in `everyMillis`. Nothing when somebody has
   * swept within `everyMillis`, unless there was more than that sweep could take.
   */
  readonly sweep: (everyMillis: number, limit: number) => Effect.Effect<Sweep, CacheError>

  /** Takes those out of the index that are there no more, but for what has been put or renewed since it was found. */
  readonly forget: (found: ReadonlyArray<IndexedIntent>) => Effect.Effect<void, CacheError>
}

/** Where entries live: the atomic primitives of a store, and the leases that fence them. For authors of backends. */
export class CacheBackend extends Context.Service<
  CacheBackend,
  {
    /** A short name for labels and errors: `"memory"`, `"redis"`. */
    readonly name: string

    /** What `Stored` holds here. `"values"` backends never see an encoded value. */
    readonly format: "values" | "bytes"

    /**
     * Whether callers share one object, or each gets its own copy: of what is stored, of a load that they share, and, with
     * `"bytes"`, of a read that they share.
     */
    readonly isolation: "reference" | "clone"

    /** Compresses large payloads, where the backend stores bytes. */
    readonly compressor: Compressor | undefined

    /**
     * The longest a primitive takes, in milliseconds; `undefined` when it cannot take long. Redis counts it from when a command is
     * sent: in a burst that waits for its turn it is a few times as long, and bounded.
     */
    readonly deadlineMillis: number | undefined

    /** How much longer, in milliseconds, a write may take that waits until replicas have it. */
    readonly replicationMillis?: number | undefined

    /** Present when nothing needs a trip. Leases then belong to this process, never expire, and are not renewed. */
    readonly local: LocalPrimitives | undefined

    /** The entry of `key`, when it is not past its hard TTL. Reads of one key in one tick may share a command. */
    readonly read: (key: string) => Effect.Effect<Stored | undefined, CacheError>

    /** What is there for speed alone. */
    readonly fast?: FastPath | undefined

    /**
     * Takes the lease of `key` if nobody holds it, for `ttlMillis`. Returns the token of the holder: `token` itself when
     * granted, also when a resent command finds its own token in place.
     */
    readonly acquire: (key: string, token: string, ttlMillis: number) => Effect.Effect<string, CacheError>

    /**
     * Makes `token` the holder, for `ttlMillis`, and returns it, whoever held the lease before. Only a lease of writes
     * (`CacheLayer.lease`) is not replaced:
     *
     * - `"write"`: the entry goes too, in the same step or after the lease. A lease of writes is joined, and the longer of the
     *   two times counts; `token` is returned. With `give` it returns what it unlinked, too: the whole entry, or at least its header;
     *   whoever does not ask must not pay for that. With `intent` it may put that down as well, as `Intents.put` does, without waiting
     *   for the index (`intended`); where it does not say that it has, the client puts it down by itself.
     * - `"refresh"`: the entry stays. A lease of writes is left as it is, and what it says is returned.
     * - `"set"`: the entry stays. A lease of writes is made void, with the end it has, and the entry goes; what the lease says then
     *   is returned.
     */
    readonly takeOver: (
      key: string,
      token: string,
      ttlMillis: number,
      as: "write" | "refresh" | "set",
      give?: Give | undefined,
      intent?: Intent | undefined
    ) => Effect.Effect<TakenOver, CacheError>

    /**
     * Makes `token` the holder, for `ttlMillis`, if `from` is (`true`), or if `token` is already. Otherwise (`false`), also where
     * nobody holds the lease, it changes nothing. Of a load whose holder died or hangs.
     */
    readonly takeOverFrom: (
      key: string,
      from: string,
      token: string,
      ttlMillis: number
    ) => Effect.Effect<boolean, CacheError>

    /**
     * Extends the lease to `ttlMillis` from now if `token` still holds it, or is one of its writes; among several the longer time
     * counts. `false`: it does not.
     */
    readonly renew: (key: string, token: string, ttlMillis: number) => Effect.Effect<boolean, CacheError>

    /**
     * The fenced fill: only if the lease says `token` and nothing else, writes the entry and drops the lease (`true`). Otherwise
     * (`false`), also where there is no lease, it is lost:
     *
     * - `"keep"` changes nothing.
     * - `"unlink"`, of a write, removes the entry and takes the token out of a lease of writes, which is void from then on; the
     *   last of them drops it. The lease of a load goes.
     * - `"empty"`, of a set, removes the entry and leaves the lease that is there.
     *
     * `intended`, where it is given, is called before a fill completes that has written, if there are intents beside the key.
     */
    readonly fill: (
      key: string,
      token: string,
      write: Write,
      onLost: "keep" | "unlink" | "empty",
      intended?: (() => void) | undefined
    ) => Effect.Effect<boolean, CacheError>

    /**
     * Drops the lease if it says `token` and nothing else (`true`). Otherwise (`false`) `"unlink"` as in `fill`; `"keep"` takes the
     * token out of a lease of writes that it is one of, and changes nothing else.
     */
    readonly release: (key: string, token: string, onLost: "keep" | "unlink") => Effect.Effect<boolean, CacheError>

    /**
     * Removes lease and entry of each key: the lease first, and when it completes, both are gone. A lease of writes stays, is
     * void, and keeps its end. Returns how many entries there were.
     */
    readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<number, CacheError>

    /**
     * One full pass over entries and leases whose key matches `pattern` (see `CacheKey`), removing them as `remove` does, never
     * blocking the store for long. A key that appears during the pass may be missed: the client passes twice.
     * Returns how many entries there were.
     */
    readonly removeMatching: (pattern: string) => Effect.Effect<number, CacheError>

    /** Adds tags to the header of an entry; value, born and remaining TTL stay. `false`: there is no such entry. */
    readonly addTags: (key: string, tags: ReadonlyArray<string>) => Effect.Effect<boolean, CacheError>

    /**
     * Completes when the lease that `token` held on `key` seems to have ended: a hint, which may come late, early or never,
     * so callers race it with a poll. Interrupting it leaves nothing behind.
     */
    readonly awaitRelease: (key: string, token: string) => Effect.Effect<void, CacheError>

    /**
     * Absent where no intent can be kept, or none is needed: a writer that dies in this process takes its cache along. No
     * invalidation removes one, nor does `clear`.
     */
    readonly intents?: Intents | undefined

    /**
     * Removes everything in the namespace: entries, leases, markers; a lease of writes stays, and is void. The epoch moves on, it is
     * not reset.
     */
    readonly clear: Effect.Effect<void, CacheError>

    readonly usage: Effect.Effect<BackendUsage, CacheError>
  }
>()("effect-cache/CacheBackend") {}
