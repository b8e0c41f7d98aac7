/**
 * What a write has replaced: the entries that its take-overs unlinked, as far as they were asked for.
 */
import { Effect, Exit, Option } from "effect"
import { notJson, open } from "../CacheEntry.ts"
import type { Region } from "../region/region.ts"
import type { Give, Stored } from "../services/CacheBackend.ts"
import type { WriteRequest } from "./contract.ts"
import type { Store } from "./store.ts"

export interface Replaced {
  /** Those that its entries bore, also those that were stale. Of what was not cached none are known. */
  readonly tags: () => Iterable<string>
  /** The value of the one entry, if it was one of this region's schema: perhaps older than the row. */
  readonly value: () => Effect.Effect<Option.Option<unknown>, never, unknown>
}

/** What is to be asked of the take-overs of a write. Those that nothing is asked of pay nothing for it. */
export const giveOf = ({ asksPrevious, ownTags }: WriteRequest): Give | undefined =>
  asksPrevious === true ? "entry" : ownTags === true ? "header" : undefined

const none = Exit.succeed(Option.none())

export const replacedBy = (
  slots: ReadonlyArray<{ readonly unlinked: Stored | undefined }>,
  store: Store,
  region: Region,
  handOutStored: (store: Store, region: Region, value: unknown) => Effect.Effect<unknown, unknown, unknown>
): Replaced => {
  const entryOf = ({ unlinked }: (typeof slots)[number]) => (unlinked instanceof Uint8Array ? open(unlinked) : unlinked)
  return {
    tags: function*() {
      for (const slot of slots) yield* entryOf(slot)?.tags ?? []
    },
    value: () => {
      const entry = slots.length === 1 ? entryOf(slots[0]!) : undefined
      if (entry === undefined || region.codec === undefined || entry.fingerprint !== region.fingerprint) return none
      if ("value" in entry) return optional(handOutStored(store, region, entry.value))
      const json = entry.json(store.backend.compressor)
      return json === notJson ? none : optional(region.codec.decode(json))
    }
  }
}

/** What is there at once stays so: the usual codec is synchronous. */
const optional = (value: Effect.Effect<unknown, unknown, unknown>) =>
  Effect.matchEager(value, { onFailure: () => Option.none(), onSuccess: (found) => Option.some(found) })
