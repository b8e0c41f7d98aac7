/**
 * Invalidations that the primary has not acknowledged, kept by what they invalidate, so that repeats cost nothing. Bounded in
 * number and in bytes; when it is full, the whole namespace stands for them.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { stepSize } from "../../internal/inSteps.ts"
import { carriedOut, twoPasses } from "../../protocol/passes.ts"
import type { Primitives } from "../../services/CachePrimitives.ts"

/** What is kept of an item beside its text, about. */
const itemBytes = 64

const weightOf = (item: string): number => 2 * item.length + itemBytes

export interface JournalLimits {
  readonly count: number
  readonly bytes: number
}

export class Journal {
  readonly #keys = new Set<string>()
  readonly #patterns = new Set<string>()
  readonly #tags = new Set<string>()
  #everything = false
  #overflowed = false
  #bytes = 0
  readonly #limits: JournalLimits

  constructor(limits: JournalLimits) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return !this.#everything && this.size === 0
  }

  get size(): number {
    return this.#keys.size + this.#patterns.size + this.#tags.size
  }

  /** Items that are still to be carried out, of which the whole namespace is one. */
  get length(): number {
    return this.#everything ? 1 : this.size
  }

  /** Whether something did not fit since this was asked last, and the whole namespace is written down instead. */
  takeOverflow(): boolean {
    const was = this.#overflowed
    this.#overflowed = false
    return was
  }

  addKeys(keys: Iterable<string>): void {
    this.#add(this.#keys, keys)
  }

  addPatterns(patterns: Iterable<string>): void {
    this.#add(this.#patterns, patterns)
  }

  addTags(tags: Iterable<string>): void {
    this.#add(this.#tags, tags)
  }

  /** The whole namespace. It covers all else. */
  addEverything(): void {
    this.#everything = true
    this.#bytes = 0
    this.#keys.clear()
    this.#patterns.clear()
    this.#tags.clear()
  }

  #add(to: Set<string>, items: Iterable<string>): void {
    if (this.#everything) return
    for (const item of items) {
      if (to.has(item)) continue
      to.add(item)
      this.#bytes += weightOf(item)
      if (this.size <= this.#limits.count && this.#bytes <= this.#limits.bytes) continue
      this.addEverything()
      this.#overflowed = true
      return
    }
  }

  #take(from: Set<string>, most: number): ReadonlyArray<string> {
    const taken: Array<string> = []
    for (const item of from) {
      if (taken.length === most) break
      taken.push(item)
      from.delete(item)
      this.#bytes -= weightOf(item)
    }
    return taken
  }

  /**
   * Carries out what is written down, a batch at a time: keys, then tags, then all patterns at once. A batch that was
   * acknowledged is struck off for good, so that a replay that breaks off goes on from there. What fails stays; what is added
   * meanwhile is carried out, too, also when it repeats something that is under way: it may speak of a newer change.
   */
  readonly replay = ({ backend, tags }: Primitives): Effect.Effect<void, CacheError> => {
    const together = backend.fast?.removeMatchingAny
    const one = Effect.suspend(() => {
      if (this.#everything) {
        this.#everything = false
        return Effect.onError(carriedOut(backend.clear), () => Effect.sync(() => this.addEverything()))
      }
      if (this.#keys.size > 0) return this.#strike(this.#keys, stepSize, (keys) => backend.remove(keys))
      if (this.#tags.size > 0) return this.#strike(this.#tags, stepSize, (list) => tags.invalidate(list))
      if (together !== undefined) return this.#strike(this.#patterns, Infinity, (all) => twoPasses(together(all)))
      return this.#strike(this.#patterns, 1, ([pattern]) => twoPasses(backend.removeMatching(pattern!)))
    })
    const loop: Effect.Effect<void, CacheError> = Effect.suspend(() =>
      this.isEmpty ? Effect.void : Effect.flatMap(Effect.andThen(one, Effect.yieldNow), () => loop)
    )
    return loop
  }

  #strike(
    from: Set<string>,
    most: number,
    carryOut: (batch: ReadonlyArray<string>) => Effect.Effect<unknown, CacheError>
  ): Effect.Effect<unknown, CacheError> {
    const batch = this.#take(from, most)
    return Effect.onError(carriedOut(carryOut(batch)), () => Effect.sync(() => this.#add(from, batch)))
  }
}
