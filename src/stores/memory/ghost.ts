/**
 * The ghost of S3-FIFO: which keys left the small queue not long ago, on typed arrays.
 *
 * It is a table of buckets, as the paper proposes: a hash goes to a bucket of a few places, together with the number of
 * its coming, and writes over the oldest there. What came more than a window ago does not count any more, so nothing has to
 * be taken out. It costs 11 to 22 bytes a remembered key, 11 when the cache is full by count, and holds no key.
 *
 * It may guess wrong: two keys can have one hash, and a full bucket forgets early. A wrong guess puts a new key in the
 * other queue, nothing else. That is also all that somebody can reach who chooses keys so that their hashes collide:
 * there is no chain to make long, each call looks at one bucket. So the hash needs no secret.
 */

/** The numbers of a bucket, two a place: with 8 places, it fills a cache line. */
const BUCKET = 16
/** Buckets for each hash that counts: four places for three hashes. With fewer, too many buckets forget early. */
const BUCKETS_EACH = 4 / 3 / 8
/** The table begins with at most so many buckets. It doubles up to the most it may need, so it ends close to that. */
const BUCKETS_FIRST = 32

/** Never 0, which marks a free place. */
export const hashOf = (key: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  // FNV alone leaves the high bits of short keys alike.
  hash ^= hash >>> 15
  return (Math.imul(hash, 0x85ebca6b) ^ (hash >>> 13)) >>> 0 || 1
}

export class Ghost {
  /** By turns a hash, and when it came: the count of all that had come, modulo 2^32. */
  private table = new Uint32Array(0)
  private time = 0
  private buckets = 0
  private readonly bucketsFirst: number

  /** `maxWindow`: no window will be larger. */
  constructor(maxWindow: number) {
    let buckets = Math.ceil(BUCKETS_EACH * maxWindow)
    while (buckets > BUCKETS_FIRST) buckets = Math.ceil(buckets / 2)
    this.bucketsFirst = buckets
  }

  /** Remembers a hash. The last `window` of them count. */
  add(hash: number, window: number): void {
    if (BUCKETS_EACH * window > this.buckets) this.grow(BUCKETS_EACH * window)
    this.time = (this.time + 1) >>> 0
    this.write(hash, this.time)
  }

  /** Whether the hash is among the last `window`. It is forgotten then. */
  take(hash: number, window: number): boolean {
    const place = this.placeOf(hash)
    if (place === -1) return false
    this.table[place] = 0
    return this.age(place) < window
  }

  /** How many are remembered, counted one by one. For tests. */
  size(window: number): number {
    let size = 0
    for (let place = 0; place < this.table.length; place += 2) {
      if (this.table[place] !== 0 && this.age(place) < window) size++
    }
    return size
  }

  clear(): void {
    this.table = new Uint32Array(0)
    this.buckets = this.time = 0
  }

  private age(place: number): number {
    return (this.time - this.table[place + 1]!) >>> 0
  }

  /** Where its bucket begins. By its high bits, so that one bucket becomes two neighbours when the table doubles. */
  private bucketOf(hash: number): number {
    return Math.floor((hash / 2 ** 32) * this.buckets) * BUCKET
  }

  private placeOf(hash: number): number {
    if (this.buckets === 0) return -1
    const { table } = this
    const start = this.bucketOf(hash)
    for (let place = start; place < start + BUCKET; place += 2) if (table[place] === hash) return place
    return -1
  }

  /** In the place of the same hash, else in a free one, else in that of the oldest. */
  private write(hash: number, time: number): void {
    const { table } = this
    const start = this.bucketOf(hash)
    let free = start
    for (let place = start; place < start + BUCKET; place += 2) {
      if (table[place] === hash) {
        free = place
        break
      }
      if (table[free] !== 0 && (table[place] === 0 || this.age(place) > this.age(free))) free = place
    }
    table[free] = hash
    table[free + 1] = time
  }

  /** What was in one bucket is spread over others, which nothing else goes to: none can overflow. */
  private grow(wanted: number): void {
    const { table } = this
    let buckets = Math.max(this.bucketsFirst, this.buckets)
    while (buckets < wanted) buckets *= 2
    this.buckets = buckets
    this.table = new Uint32Array(BUCKET * buckets)
    for (let place = 0; place < table.length; place += 2) {
      if (table[place] !== 0) this.write(table[place]!, table[place + 1]!)
    }
  }
}
