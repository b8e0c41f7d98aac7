/**
 * The intent of a transaction: what it is going to make invalid after its commit, as far as it is known, so that others see to it if
 * this process dies. One for all of its calls, and beside no lease.
 */
import { Effect } from "effect"
import { maxItems } from "../../protocol/intent.ts"
import type { Intent } from "../../services/CacheBackend.ts"
import type { Intents } from "../intents.ts"
import type { LoadContext } from "../land.ts"
import type { Region } from "../../region/region.ts"
import type { Transaction } from "./transaction.ts"

export type Intend = (transaction: Transaction, more: Partial<Intent>, region: Region) => Effect.Effect<void>

/** Keys that are held need none: their slots are empty, and stay so for a lease. */
export const makeIntend =
  (context: LoadContext, intents: Intents): Intend =>
  (transaction, { keys = [], patterns = [], tags = [] }, region) =>
    Effect.suspend(() => {
      const token = (transaction.token ??= context.makeToken())
      const all = transaction.intended
      // In the order in which `bounded` takes them: what comes behind so many has no room, and changes nothing.
      let before = 0
      let isNews = false
      const add = (set: Set<string>, items: ReadonlyArray<string>): void => {
        const known = set.size
        before += known
        // More of a kind are never put down, and would be gone through again with each that is added.
        for (const item of items) if (set.size < maxItems) set.add(item)
        if (set.size > known && before < maxItems) isNews = true
      }
      add(all.tags, tags)
      add(all.patterns, patterns)
      add(all.keys, keys)
      if (!isNews) return Effect.void
      const intent = { keys: [...all.keys], patterns: [...all.patterns], tags: [...all.tags] }
      const note = (error: Parameters<LoadContext["record"]>[1]) => context.record(region, error)
      transaction.intent = intents.of(token, token, intent, context.defaultLeaseMillis, note)
      return Effect.asVoid(transaction.intent?.put ?? Effect.void)
    })

/** Once all of it was carried out. Otherwise it is left to its end, and to others. */
export const dropIntent = (transaction: Transaction): Effect.Effect<void> =>
  Effect.suspend(() =>
    transaction.isAcknowledged && transaction.intent !== undefined ? transaction.intent.drop : Effect.void
  )
