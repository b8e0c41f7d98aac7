/**
 * Invalidations that the primary has not acknowledged, kept by what they invalidate, so that repeats cost nothing.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { carriedOut, twoPasses } from "../../protocol/passes.ts"
import type { Primitives } from "../../services/CachePrimitives.ts"

export class Journal {
  #keys = new Set<string>()
  #patterns = new Set<string>()
  #tags = new Set<string>()
  #everything = false
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get isEmpty(): boolean {
    return !this.#everything && this.size === 0
  }

  get size(): number {
    return this.#keys.size + this.#patterns.size + this.#tags.size
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
    this.#keys.clear()
    this.#patterns.clear()
    this.#tags.clear()
  }

  #add(to: Set<string>, items: Iterable<string>): void {
    if (this.#everything) return
    for (const item of items) to.add(item)
    if (this.size > this.#limit) this.addEverything()
  }

  /**
   * Carries out what is written down. What fails stays; what is added meanwhile waits for the next replay, also when it
   * repeats something that is being replayed, because it may speak of a newer change.
   */
  readonly replay = ({ backend, tags }: Primitives): Effect.Effect<void, CacheError> =>
    Effect.suspend(() => {
      const batch = { keys: this.#keys, patterns: this.#patterns, tags: this.#tags, everything: this.#everything }
      this.#keys = new Set()
      this.#patterns = new Set()
      this.#tags = new Set()
      this.#everything = false
      const work = batch.everything
        ? carriedOut(backend.clear)
        : Effect.gen(function*() {
            if (batch.keys.size > 0) yield* carriedOut(backend.remove([...batch.keys]))
            if (batch.tags.size > 0) yield* carriedOut(tags.invalidate([...batch.tags]))
            for (const pattern of batch.patterns) yield* carriedOut(twoPasses(backend.removeMatching(pattern)))
          })
      return Effect.onError(work, () =>
        Effect.sync(() => {
          if (batch.everything) return this.addEverything()
          this.addKeys(batch.keys)
          this.addPatterns(batch.patterns)
          this.addTags(batch.tags)
        })
      )
    })
}
