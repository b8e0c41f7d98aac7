/**
 * The markers of tags in one process: the epoch of each tag's last invalidation, in bounded room.
 *
 * A marker that is missing makes its entries stale (protocol R3), and one that is created anew gets the epoch of now,
 * which is at least its last invalidation's. So dropping a marker costs misses and never a stale hit, and what is kept
 * is a matter of room only:
 *
 * - A tag that live entries bear keeps its marker. Entries are bounded by weight, and each pays for its tags
 *   (`tagWeight`), so these markers are bounded with them. Dropping one would be a miss for each of its entries.
 * - Any other marker is **idle**: a load may be about to store an entry under it. Idle markers are kept in the order of
 *   their last use, up to a count and to a sum of weights, and the oldest go first. So a flood of tags that nothing
 *   bears pushes out idle markers only.
 */

/** What a marker costs, in bytes: its text, its slot in a map, its record. */
export const tagWeight = (tag: string): number => 2 * tag.length + 128

class Marker {
  readonly tag: string
  /** `undefined`: entries bear the tag, but it has no marker; they are stale. */
  epoch: number | undefined = undefined
  /** How many times live entries bear the tag. */
  bearers = 0
  older: Marker | undefined = undefined
  newer: Marker | undefined = undefined
  constructor(tag: string) {
    this.tag = tag
  }
}

export class Markers {
  private readonly byTag = new Map<string, Marker>()
  private readonly maxIdle: number
  private readonly maxIdleWeight: number
  private oldest: Marker | undefined = undefined
  private newest: Marker | undefined = undefined
  idle = 0
  private idleWeight = 0

  constructor(maxIdle: number, maxIdleWeight: number) {
    this.maxIdle = maxIdle
    this.maxIdleWeight = maxIdleWeight
  }

  get size(): number {
    return this.byTag.size
  }

  get(tag: string): number | undefined {
    return this.byTag.get(tag)?.epoch
  }

  /** Makes sure that there is a marker; a new one starts at `epoch`, the epoch of now. */
  ensure(tag: string, epoch: number): void {
    this.update(tag, epoch, false)
  }

  /** Sets the marker to `epoch`, unless it is higher already. */
  raise(tag: string, epoch: number): void {
    this.update(tag, epoch, true)
  }

  /** An entry that bears the tags has been stored. */
  retain(tags: ReadonlyArray<string>): void {
    for (const tag of tags) {
      const marker = this.obtain(tag)
      if (marker.bearers++ === 0 && marker.epoch !== undefined) this.unlink(marker)
    }
  }

  /** An entry that bore the tags has gone. */
  release(tags: ReadonlyArray<string>): void {
    for (const tag of tags) {
      const marker = this.byTag.get(tag)
      if (marker === undefined || marker.bearers === 0 || --marker.bearers > 0) continue
      if (marker.epoch === undefined) this.byTag.delete(tag)
      else this.link(marker)
    }
    this.trim()
  }

  clear(): void {
    this.byTag.clear()
    this.oldest = this.newest = undefined
    this.idle = this.idleWeight = 0
  }

  private obtain(tag: string): Marker {
    let marker = this.byTag.get(tag)
    if (marker === undefined) {
      marker = new Marker(tag)
      this.byTag.set(tag, marker)
    }
    return marker
  }

  private update(tag: string, epoch: number, raise: boolean): void {
    const marker = this.obtain(tag)
    if (marker.bearers === 0 && marker.epoch !== undefined) this.unlink(marker)
    if (marker.epoch === undefined || (raise && marker.epoch < epoch)) marker.epoch = epoch
    if (marker.bearers === 0) {
      this.link(marker)
      this.trim()
    }
  }

  private trim(): void {
    while (this.oldest !== undefined && (this.idle > this.maxIdle || this.idleWeight > this.maxIdleWeight)) {
      const marker = this.oldest
      this.unlink(marker)
      this.byTag.delete(marker.tag)
    }
  }

  private link(marker: Marker): void {
    marker.older = this.newest
    if (this.newest === undefined) this.oldest = marker
    else this.newest.newer = marker
    this.newest = marker
    this.idle++
    this.idleWeight += tagWeight(marker.tag)
  }

  private unlink(marker: Marker): void {
    if (marker.older === undefined) this.oldest = marker.newer
    else marker.older.newer = marker.newer
    if (marker.newer === undefined) this.newest = marker.older
    else marker.newer.older = marker.older
    marker.older = marker.newer = undefined
    this.idle--
    this.idleWeight -= tagWeight(marker.tag)
  }
}
