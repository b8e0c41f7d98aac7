/**
 * What a hit that is one step needs: a word for "nothing", and a number in place of a fingerprint.
 */

/** Given in place of a value that is not there: any value may be one. */
export const absent: unique symbol = Symbol("effect-cache/absent")

/** Stands for a fingerprint in this process, for as long as somebody holds it: a codec, or an entry in memory. */
export class Stamp {
  readonly fingerprint: string
  /** Above 0, and never that of another stamp: two that are equal are of one fingerprint. 0: there are no more numbers. */
  readonly number: number
  constructor(fingerprint: string, number: number) {
    this.fingerprint = fingerprint
    this.number = number
  }
}

/** So many more stamps are made before those that nobody holds are taken out. */
const room = 10_000
/** Numbers are kept in 32 bits. A stamp without one is right too: its hits take more than one step. */
const lastNumber = 2 ** 32 - 1

/**
 * The stamps that are held. A program may make schemas for each request, so this keeps none alive. What is asked for again
 * after nobody held it has a new number; whoever had the old one is gone.
 */
export class Stamps {
  readonly #held = new Map<string, WeakRef<Stamp>>()
  #numbers = 0
  #sweepAt = room

  /** How many there may be: those that nobody holds are not taken out at once. */
  get size(): number {
    return this.#held.size
  }

  of(fingerprint: string): Stamp {
    const held = this.#held.get(fingerprint)?.deref()
    if (held !== undefined) return held
    if (this.#held.size >= this.#sweepAt) this.#sweep()
    const made = new Stamp(fingerprint, this.#numbers < lastNumber ? ++this.#numbers : 0)
    this.#held.set(fingerprint, new WeakRef(made))
    return made
  }

  #sweep(): void {
    for (const [fingerprint, stamp] of this.#held) if (stamp.deref() === undefined) this.#held.delete(fingerprint)
    this.#sweepAt = this.#held.size + room
  }
}

/** Those of this process. */
export const stamps: Stamps = new Stamps()
