/**
 * Keys whose responses may not be stored. For a moment requests for them go by the cache: whoever joined a load of one would wait for a
 * response that he cannot have, and then run his own handler. The name is Varnish's.
 */

const millis = 1000
const most = 1024
/** One that sets a cookie, say, may be followed by thousands that are for all. */
const enough = 2

interface Pass {
  readonly times: number
  readonly end: number
  readonly why: string
}

export class HitForPass {
  readonly #of = new Map<string, Pass>()

  /** A load of this key has made what may not be stored. */
  note(key: string, why: string, now: number): void {
    const times = (this.#of.get(key)?.times ?? 0) + 1
    this.#of.delete(key)
    if (this.#of.size >= most) this.#of.delete(this.#of.keys().next().value!)
    this.#of.set(key, { times, end: times < enough ? -Infinity : now + millis, why })
  }

  /** A load has made what may be. */
  forget(key: string): void {
    if (this.#of.size > 0) this.#of.delete(key)
  }

  /** Why it may not, or `undefined`. */
  of(key: string, now: number): string | undefined {
    if (this.#of.size === 0) return undefined
    const found = this.#of.get(key)
    // No longer, also where the clock was set back.
    return found !== undefined && found.end > now && found.end <= now + millis ? found.why : undefined
  }
}
