/**
 * The contract of the epoch and of the markers of tags.
 *
 * The **epoch** is a counter that only grows; a load reads it before it starts, and the entry keeps it as `born`. The
 * **marker** of a tag is the epoch of its last invalidation. An entry is valid when the marker of each of its tags exists
 * and is at most its `born`; a marker that is missing makes it stale, so that losing bookkeeping costs a miss.
 *
 * Tags are any strings; a store escapes them, injectively. The rules of `CacheBackend` hold here too.
 */
import { Context, type Effect } from "effect"
import type { CacheError } from "../CacheError.ts"

/** The epoch, and the markers of tags. For authors of backends. */
export class TagIndex extends Context.Service<
  TagIndex,
  {
    /** The epoch of now. When the counter was lost it is created again, above every value it ever had. */
    readonly epoch: Effect.Effect<number, CacheError>

    /**
     * The markers of the tags, in their order; `undefined` where there is none, and `Infinity` for one that is being created:
     * above every `born`, so nothing is valid under it, but a moment later it may be.
     */
    readonly markers: (tags: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number | undefined>, CacheError>

    /**
     * Makes sure that each tag has a marker, and that it outlives `ttlMillis` (`Infinity`: for ever). A marker that is
     * missing is created at the epoch of now, never lower: with a lower one an invalidated entry could come back.
     */
    readonly ensure: (tags: ReadonlyArray<string>, ttlMillis: number) => Effect.Effect<void, CacheError>

    /**
     * Bumps the epoch and raises the marker of each tag to it, never lowering one. Its cost ignores the entries. Where the two are
     * two steps, a marker that is missing in the second must stay missing: it may have been lost since the first, with a later
     * invalidation in it.
     */
    readonly invalidate: (tags: ReadonlyArray<string>) => Effect.Effect<void, CacheError>
  }
>()("effect-cache/TagIndex") {}
