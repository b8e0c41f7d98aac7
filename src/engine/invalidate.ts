/**
 * Invalidations: on the in-process stores, where they cannot fail, and on the primary, whose word counts.
 */
import { Effect, Metric } from "effect"
import type { CacheError } from "../CacheError.ts"
import { matcherUnsafe } from "../CacheKey.ts"
import { spanned } from "../observe/span.ts"
import { checked } from "../region/checks.ts"
import { distinct, listOf, normalKeys } from "./many.ts"
import type { Store } from "./store.ts"

const invalidationCounter = (kind: "key" | "pattern" | "tag" | "clear") =>
  Metric.counter("effect_cache_invalidations_total", {
    description: "Invalidations by kind",
    incremental: true,
    attributes: { kind }
  })
const invalidated = {
  key: invalidationCounter("key"),
  pattern: invalidationCounter("pattern"),
  tag: invalidationCounter("tag"),
  clear: invalidationCounter("clear")
}

interface Parts {
  readonly primary: Store
  readonly beside: ReadonlyArray<Store>
  /** Counts and logs a failure. */
  readonly record: (error: CacheError) => Effect.Effect<void>
}

export const makeInvalidations = ({ beside, primary, record }: Parts) => {
  const layer = primary.backend.name
  /** Runs an invalidation on the in-process stores, where it cannot fail, and on the primary, whose word counts. */
  const invalidate = (
    kind: keyof typeof invalidated,
    count: number,
    onStore: (store: Store) => Effect.Effect<unknown, CacheError>,
    // Values without a schema are nowhere else.
    only?: Store | undefined
  ): Effect.Effect<void, CacheError> =>
    Effect.withFiber((fiber) => {
      const all =
        only !== undefined
          ? Effect.asVoid(onStore(only))
          : Effect.andThen(
              Effect.forEach(beside, (store) => Effect.ignore(onStore(store)), { discard: true }),
              Effect.asVoid(onStore(primary))
            )
      const done = Effect.tap(all, () => Effect.sync(() => invalidated[kind].updateUnsafe(count, fiber.context)))
      return spanned(
        fiber,
        "cache.invalidate",
        { "cache.invalidation": kind, "cache.count": count, "cache.layer": layer },
        Effect.tapError(done, (error) => record(error))
      )
    })

  const countKeys = (count: number): Effect.Effect<void> =>
    Effect.withFiber((fiber) => {
      invalidated.key.updateUnsafe(count, fiber.context)
      return Effect.void
    })

  const invalidateKeys = (keys: Iterable<string>, only?: Store | undefined) =>
    Effect.flatMap(Effect.flatMap(normalKeys(keys), distinct), (list) =>
      list.length === 0 ? Effect.void : invalidate("key", list.length, ({ backend }) => backend.remove(list), only)
    )

  const invalidatePattern = (pattern: string, only?: Store | undefined) =>
    Effect.andThen(
      checked(() => matcherUnsafe(pattern)),
      invalidate("pattern", 1, (store) => store.removeMatching(pattern), only)
    )

  const invalidateTags = (tags: Iterable<string>) =>
    Effect.flatMap(Effect.flatMap(listOf("tags", tags), distinct), (list) =>
      list.length === 0 ? Effect.void : invalidate("tag", list.length, (store) => store.tags.invalidate(list))
    )

  return {
    countKeys,
    invalidateKeys,
    invalidatePattern,
    invalidateTags,
    clear: invalidate("clear", 1, ({ backend }) => backend.clear)
  }
}
