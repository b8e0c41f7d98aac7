/**
 * Whether what was found may be used.
 */
import type { EntryHeader } from "../CacheEntry.ts"
import type { Region } from "../region/region.ts"

/**
 * What a read found: the value of a valid entry, one that is no longer valid, or nothing that can be read. `"unsettled"`: an entry with a
 * tag whose marker is being created; it will be valid in a moment, if no invalidation comes first.
 */
export type Found = { readonly value: unknown; readonly tags: ReadonlyArray<string> } | "stale" | "unsettled" | "miss"

/** An entry written before its region bore a tag cannot be reached by it, so it does not count. */
export const bearsStaticTags = (tags: ReadonlyArray<string>, { staticTags }: Region): boolean => {
  if (tags === staticTags) return true
  for (let i = 0; i < staticTags.length; i++) {
    if (!tags.includes(staticTags[i]!)) return false
  }
  return true
}

/**
 * The marker of a tag: `undefined` when there is none, `Infinity` while it is being created, `"unasked"` when nobody asked for
 * it. `at` is where the tag stands among those of the entry.
 */
export type MarkerOf = (tag: string, at: number) => number | undefined | "unasked"

export type Verdict = "valid" | "stale" | "unsettled" | "unknown"

/** Whether an entry is valid by its markers. `"unknown"`: it bears a tag whose marker nobody asked for. */
export const judge = ({ born, tags }: Pick<EntryHeader, "born" | "tags">, markerOf: MarkerOf): Verdict => {
  let verdict: Verdict = "valid"
  for (let i = 0; i < tags.length; i++) {
    const marker = markerOf(tags[i]!, i)
    // Evidence missing means stale (R3): a marker that is gone may have been an invalidation.
    if (marker === undefined) return "stale"
    if (marker === "unasked") verdict = "unknown"
    else if (marker === Infinity) {
      if (verdict === "valid") verdict = "unsettled"
    } else if (marker > born) return "stale"
  }
  return verdict
}

/** The markers of some tags, by tag. */
export const markersOf =
  (tags: ReadonlyArray<string>, markers: ReadonlyArray<number | undefined>): MarkerOf =>
  (tag, at) => {
    const found = tags[at] === tag ? at : tags.indexOf(tag)
    return found === -1 ? "unasked" : markers[found]
  }
