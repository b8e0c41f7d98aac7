/**
 * Removal by SCAN: full passes in small steps, so that no command holds the server up.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { escapePattern } from "../../CacheKey.ts"
import { all, type Commands, type Names } from "./commands.ts"
import type { Connection } from "./connection.ts"
import { isServerError } from "./describe.ts"
import { numberOf } from "./wire.ts"

/** Keys that one SCAN looks at: under a millisecond of the server. */
const scanCount = 1_000

/** Keys that one UNLINK removes: about as long. */
const unlinkBatch = 512

type Page = readonly [cursor: string, keys: ReadonlyArray<string>]

/** What to unlink for a key that was found. */
interface Group {
  /** They share a slot, and are in the order in which they must go: the lease first, then the entry. */
  readonly keys: ReadonlyArray<string>
  readonly entry: boolean
}

// Without the check a reply that is none would be a defect, or a cursor that never comes to its end.
const isPage = (reply: unknown): reply is Page =>
  Array.isArray(reply) &&
  typeof reply[0] === "string" &&
  /^\d{1,20}$/.test(reply[0]) &&
  Array.isArray(reply[1]) &&
  reply[1].every((key) => typeof key === "string")

const scan = (
  commands: Commands,
  node: Connection,
  operation: string,
  match: string,
  cursor: string
): Effect.Effect<Page, CacheError> =>
  Effect.callback((resume) => {
    // Noted like a write: what another process removed before, and this scan does not find any more, must last as well.
    commands.commandOn(node, operation, "scan", [cursor, "MATCH", match, "COUNT", scanCount], (error, reply) =>
      resume(
        error !== undefined
          ? Effect.fail(error)
          : isPage(reply)
            ? Effect.succeed(reply)
            : Effect.fail(node.unavailable(operation, "what came back from SCAN is no page"))
      )
    )
  })

// Of an entry and its lease: found by the entry, any removal is the entry's. Found by the lease, the first one is the lease's.
const entriesOf = ({ entry }: Group, removed: number): number =>
  entry ? Math.min(removed, 1) : Math.max(removed - 1, 0)

/** Each group by a command of its own, as Cluster needs it. */
const unlinkApart = (
  commands: Commands,
  operation: string,
  groups: ReadonlyArray<Group>
): Effect.Effect<number, CacheError> =>
  Effect.suspend(() => {
    const apart: Array<Group> = []
    const whole = all(groups.length, (i, reply) => {
      const { keys } = groups[i]!
      commands.command(keys[0]!, operation, "unlink", keys, (error, removed) => {
        if (!isServerError(error, "TRYAGAIN")) return reply(error, removed)
        // Its slot is on the move, and the two are on two nodes.
        apart.push(groups[i]!)
        reply(undefined, 0)
      })
    })
    return Effect.flatMap(whole, (replies) =>
      Effect.reduce(
        apart,
        () => replies.reduce<number>((sum, removed, i) => sum + entriesOf(groups[i]!, numberOf(removed)), 0),
        (sum, group) =>
          Effect.map(
            Effect.forEach(group.keys, (key) => commands.one(operation, "unlink", [key], numberOf)),
            (removed) =>
              sum +
              entriesOf(
                group,
                removed.reduce((all, one) => all + one, 0)
              )
          )
      )
    )
  })

/** All groups by a command for the leases, and behind it one for the entries, whose reply is how many there were. */
const unlinkTogether = (
  commands: Commands,
  operation: string,
  groups: ReadonlyArray<Group>
): Effect.Effect<number, CacheError> => {
  const steps = groups[0]!.keys.map((_, i) => groups.map(({ keys }) => keys[i]!))
  const together = all(steps.length, (i, reply) => {
    commands.command(steps[i]![0]!, operation, "unlink", steps[i]!, reply)
  })
  return Effect.map(together, (removed) => numberOf(removed.at(-1)))
}

const unlink = (
  commands: Commands,
  operation: string,
  groups: ReadonlyArray<Group>
): Effect.Effect<number, CacheError> => {
  if (groups.length === 0) return Effect.succeed(0)
  const apart = unlinkApart(commands, operation, groups)
  if (!commands.nodes.inOrder) return apart
  // By itself a node of a cluster may have every key and still refuse to remove those of many slots at once.
  return Effect.catch(unlinkTogether(commands, operation, groups), (error) =>
    isServerError(error, "CROSSSLOT") ? apart : Effect.fail(error)
  )
}

type GroupsOf = (keys: ReadonlyArray<string>) => ReadonlyArray<Group>

/** One pass over the keys of a node. The cursor runs to its end, so what was there all along is found. */
const passNode = (
  commands: Commands,
  node: Connection,
  operation: string,
  match: string,
  groupsOf: GroupsOf
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let page = yield* scan(commands, node, operation, match, "0")
    for (;;) {
      const [cursor, keys] = page
      const groups = groupsOf(keys)
      const last = cursor === "0"
      // The next page is on its way while this one is removed; both go out in one flush.
      const [next, count] = yield* Effect.all(
        [
          last ? Effect.succeed(page) : scan(commands, node, operation, match, cursor),
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

/** The most rounds of a pass. A key is missed in one only if its slot moves in it, so in all only if it moves each time. */
const maxRounds = 3

/**
 * One pass over the keys that match the glob `match`, on every primary. On Cluster a key that moves to a primary that was
 * scanned already would be missed, so the pass is repeated if slots moved, or were about to, during it.
 */
const pass = (
  commands: Commands,
  operation: string,
  match: string,
  groupsOf: GroupsOf
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let before = yield* commands.nodes.survey
    for (let round = 1; ; round++) {
      const counts = yield* Effect.forEach(
        before.primaries,
        (node) => passNode(commands, node, operation, match, groupsOf),
        { concurrency: "unbounded" }
      )
      removed += counts.reduce((sum, count) => sum + count, 0)
      const after = yield* commands.nodes.survey
      const moved = before.moving || after.moving || before.owners !== after.owners
      if (!moved || round === maxRounds) return removed
      before = after
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
      groups.set(rest, { keys: [leasePrefix + rest, entryPrefix + rest], entry })
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
