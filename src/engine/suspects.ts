/**
 * Leases of loads that have been in the way for longer than they should: their holder died, or its load hangs.
 */
import { isWriteToken } from "../internal/token.ts"

interface Suspect {
  readonly token: string
  /** When somebody here had loaded without storing because of it, or had waited for as long as it wanted. Monotonic. */
  readonly since: number
}

/** The oldest are forgotten: their leases are waited for as if they were new. */
const maxSuspects = 10_000

export class Suspects {
  readonly #byKey = new Map<string, Suspect>()

  note(key: string, token: string, now: number): void {
    if (isWriteToken(token) || this.#byKey.get(key)?.token === token) return
    this.#byKey.delete(key)
    this.#byKey.set(key, { token, since: now })
    if (this.#byKey.size <= maxSuspects) return
    for (const oldest of this.#byKey.keys()) {
      this.#byKey.delete(oldest)
      return
    }
  }

  /**
   * Whether it was noted a lease ago. Never a write's: a writer that died must leave an empty slot for as long as its lease
   * lasts, because it may have stood still before its commit.
   */
  isOverdue(key: string, token: string, leaseMillis: number, now: number): boolean {
    const suspect = this.#byKey.get(key)
    if (suspect === undefined) return false
    if (suspect.token === token) return now - suspect.since >= leaseMillis
    this.#byKey.delete(key)
    return false
  }

  forget(key: string): void {
    this.#byKey.delete(key)
  }
}
