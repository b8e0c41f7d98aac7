/**
 * Whether what was found may be used.
 */
import type { EntryHeader } from "../../CacheEntry.ts"
import type { Region } from "../region.ts"

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

/** Keys whose tags are remembered. */
const rememberedKeys = 16_384
/** An entry with more tags costs one more trip, and no memory here. */
const rememberedTags = 64

/** The tags last seen on a key, so that their markers can be asked for together with the entry. */
export class KnownTags {
  readonly #ofKey = new Map<string, ReadonlyArray<string>>()

  of(key: string, region: Region): ReadonlyArray<string> {
    // Where all tags are those of their regions, as is usual, there is nothing to look up.
    return this.#ofKey.size === 0 ? region.staticTags : (this.#ofKey.get(key) ?? region.staticTags)
  }

  /** What is the region's own is not kept, but takes the place of what was. */
  remember(key: string, tags: ReadonlyArray<string>, region: Region): void {
    if (tags === region.staticTags || sameTags(tags, region.staticTags)) {
      if (this.#ofKey.size > 0) this.#ofKey.delete(key)
      return
    }
    if (tags.length > rememberedTags) return
    const known = this.#ofKey.get(key)
    if (known !== undefined && (known === tags || sameTags(known, tags))) return
    if (known === undefined && this.#ofKey.size >= rememberedKeys) {
      this.#ofKey.delete(this.#ofKey.keys().next().value!)
    }
    this.#ofKey.set(key, tags)
  }
}

const sameTags = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((tag, i) => tag === b[i])
