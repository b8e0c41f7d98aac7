/**
 * Invalidations that the primary has not acknowledged, kept by what they invalidate, so that repeats cost nothing.
 */
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { Primitives } from "./client/store.ts"

/** The primary has carried it out, and its word is what reads go by; only that replicas have it is not known. */
export const isCarriedOut = (error: CacheError | undefined): boolean => error?.reason._tag === "NotReplicated"

/** Succeeds when the primary has carried it out, whatever replicas say. */
const carriedOut = (self: Effect.Effect<unknown, CacheError>): Effect.Effect<unknown, CacheError> =>
  Effect.catch(self, (error) => (isCarriedOut(error) ? Effect.void : Effect.fail(error)))

/**
 * Two full passes of a removal by pattern: a load that fills during the first turns its lease into an entry behind the cursor's
 * back. The second is carried out also when too few replicas have the first. It fails then all the same: the primary may have
 * been replaced in between, by a replica that has only the second.
 */
export const twoPasses = <A>(pass: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
  Effect.matchEffect(pass, {
    onFailure: (error) =>
      isCarriedOut(error) ? Effect.andThen(carriedOut(pass), Effect.fail(error)) : Effect.fail(error),
    onSuccess: () => pass
  })

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
