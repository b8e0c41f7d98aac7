/**
 * What a hit that is one step needs: a word for "nothing", and a number in place of a fingerprint.
 */

/** Given in place of a value that is not there: any value may be one. */
export const absent: unique symbol = Symbol("effect-cache/absent")

const stamps = new Map<string, number>()

/** A number above 0 that stands for a fingerprint in this process. Programs have as many as they have schemas. */
export const stampOf = (fingerprint: string): number => {
  let stamp = stamps.get(fingerprint)
  if (stamp === undefined) {
    stamp = stamps.size + 1
    stamps.set(fingerprint, stamp)
  }
  return stamp
}
