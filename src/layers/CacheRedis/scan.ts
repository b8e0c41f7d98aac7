/**
 * Removal by SCAN: full passes in small steps, so that no command holds the server up.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { escapePattern } from "../../CacheKey.ts"
import type { Commands, Names } from "./commands.ts"
import { numberOf } from "./connection.ts"

/** Keys that one SCAN looks at: about half a millisecond of the server. */
const scanCount = 500

/** Removals sent between two SCANs. */
const unlinkBatch = 256

type Page = readonly [cursor: string, keys: ReadonlyArray<string>]

/** What to unlink for the keys of a page, one group a slot, and which of them count as entries. */
interface Group {
  readonly keys: ReadonlyArray<string>
  readonly entry: boolean
}

const scan = (commands: Commands, operation: string, match: string, cursor: string) =>
  commands.one(operation, "scan", [cursor, "MATCH", match, "COUNT", scanCount], (reply) => reply as Page)

const unlink = (commands: Commands, operation: string, groups: ReadonlyArray<Group>) =>
  Effect.map(
    commands.many(groups.length, (i, reply) => {
      commands.connection.command(operation, "unlink", groups[i]!.keys, "utf8", reply)
    }),
    (replies) =>
      replies.reduce<number>((sum, reply, i) => {
        const group = groups[i]!
        // Of an entry and its lease: found by the entry, any removal is the entry's. Found by the lease, the first one is
        // the lease's.
        return sum + (group.entry ? Math.min(numberOf(reply), 1) : Math.max(numberOf(reply) - 1, 0))
      }, 0)
  )

/** One pass over the keys that match the glob `match`. The cursor runs to its end, so what was there all along is found. */
const pass = (
  commands: Commands,
  operation: string,
  match: string,
  groupsOf: (keys: ReadonlyArray<string>) => ReadonlyArray<Group>
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let page = yield* scan(commands, operation, match, "0")
    for (;;) {
      const [cursor, keys] = page
      const groups = groupsOf(keys)
      const last = cursor === "0"
      // The next page is on its way while this one is removed; both go out in one flush.
      const [next, count] = yield* Effect.all(
        [
          last ? Effect.succeed(page) : scan(commands, operation, match, cursor),
          unlink(commands, operation, groups.slice(0, unlinkBatch))
        ],
        { concurrency: "unbounded" }
      )
      removed += count
      for (let i = unlinkBatch; i < groups.length; i += unlinkBatch) {
        removed += yield* unlink(commands, operation, groups.slice(i, i + unlinkBatch))
      }
      if (last) return removed
      page = next
      // Let others run between pages.
      yield* Effect.yieldNow
    }
  })

/** Entry and lease of a key share a slot and go together, whichever of them was found. */
const pairs = (namespace: string) => {
  const entryPrefix = `${namespace}:e:`
  const leasePrefix = `${namespace}:l:`
  return (keys: ReadonlyArray<string>): ReadonlyArray<Group> => {
    const groups = new Map<string, Group>()
    for (const key of keys) {
      const entry = key.startsWith(entryPrefix)
      if (!entry && !key.startsWith(leasePrefix)) continue
      const rest = key.slice(entryPrefix.length)
      if (!entry && groups.has(rest)) continue
      groups.set(rest, { keys: [entryPrefix + rest, leasePrefix + rest], entry })
    }
    return [...groups.values()]
  }
}

const singles = (keys: ReadonlyArray<string>): ReadonlyArray<Group> => keys.map((key) => ({ keys: [key], entry: true }))

export const removeScanned = {
  /** One pass over entries and leases whose key matches the pattern. Returns how many entries there were. */
  matching: (commands: Commands, { namespace }: Names, pattern: string): Effect.Effect<number, CacheError> =>
    Effect.gen(function*() {
      const globs = yield* Effect.try({
        try: () => escapePattern(pattern),
        catch: (error) => error as CacheError
      })
      const groupsOf = pairs(namespace)
      let removed = 0
      for (const glob of globs) {
        removed += yield* pass(commands, "removeMatching", `${namespace}:[el]:{${glob}}`, groupsOf)
      }
      return removed
    }),

  /** One pass over all entries, leases and markers. */
  all: (commands: Commands, { namespace }: Names): Effect.Effect<void, CacheError> =>
    Effect.andThen(
      pass(commands, "clear", `${namespace}:[el]:{*}`, pairs(namespace)),
      Effect.asVoid(pass(commands, "clear", `${namespace}:t:*`, singles))
    )
}
