/**
 * Keys whose responses may not be stored. For a moment requests for them go by the cache: whoever joined a load of one would wait for a
 * response that he cannot have, and then run his own handler. Varnish calls it "hit for pass".
 */

const millis = 1000
const most = 1024

export class Passes {
  readonly #until = new Map<string, { readonly end: number; readonly why: string }>()

  /** A load of this key has made what may not be stored. */
  note(key: string, why: string, now: number): void {
    this.#until.delete(key)
    if (this.#until.size >= most) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(key, { end: now + millis, why })
  }

  has(key: string): boolean {
    return this.#until.size > 0 && this.#until.has(key)
  }

  /** Why it may not, or `undefined`. */
  of(key: string, now: number): string | undefined {
    if (this.#until.size === 0) return undefined
    const found = this.#until.get(key)
    if (found === undefined || (found.end > now && found.end <= now + millis)) return found?.why
    this.#until.delete(key)
    return undefined
  }

  /** A handler has made what may be stored. */
  forget(key: string): void {
    this.#until.delete(key)
  }
}
