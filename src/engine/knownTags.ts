/**
 * The tags last seen on a key.
 */
import type { Region } from "../region/region.ts"

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
