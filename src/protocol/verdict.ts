/**
 * Whether what was found may be used.
 */
import type { EntryHeader } from "../CacheEntry.ts"
import type { Region } from "../region/region.ts"

/**
 * What a read found: the value of a valid entry, one that is no longer valid, or nothing that can be read. `"unsettled"`: an entry with a
 * tag whose marker is being created; it will be valid in a moment, if no invalidation comes first.
 */
export type Found = { readonly value: unknown } | "stale" | "unsettled" | "miss"

/** An entry written before its region bore a tag cannot be reached by it, so it does not count. */
export const bearsStaticTags = (tags: ReadonlyArray<string>, { staticTags }: Region): boolean => {
  if (tags === staticTags) return true
  for (let i = 0; i < staticTags.length; i++) {
    if (!tags.includes(staticTags[i]!)) return false
  }
  return true
}

/** Whether an entry is valid by these markers. `"unknown"`: it bears a tag whose marker was not asked for. */
export const judge = (
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
