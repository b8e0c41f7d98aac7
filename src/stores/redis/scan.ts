/**
 * Removal by SCAN: full passes in small steps, so that no command holds the server up.
 *
 * What is found is removed, and nothing else: an entry without its lease, a lease without its entry. Take any load that held
 * its lease when the first of two passes began. Until the cursor comes by, the lease is there, and is removed, so the fill is
 * refused; or it has been turned into an entry before that, and the second pass, which begins later, finds the entry.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { escapePattern } from "../../CacheKey.ts"
import { inSteps } from "../../internal/inSteps.ts"
import { type PatternSet, patternSet } from "../../key/patternSet.ts"
import { checked } from "../../region/checks.ts"
import { isNoRoom } from "../../internal/noRoom.ts"
import { remove, withLeaseAlone } from "./backendScripts.ts"
import { all, type Commands, type Names } from "./commands.ts"
import type { Connection } from "./wire/connection.ts"
import { isServerError } from "./wire/describe.ts"
import { numberOf } from "./wire/wire.ts"

/** Keys that one SCAN looks at: under a millisecond of the server. */
const scanCount = 1_000

/** Keys that one UNLINK removes: about as long. */
const unlinkBatch = 512

/** What a server may be given to match: with each star more, it may try one place more for each it has tried. */
const maxServerStars = 2

const dropLease = withLeaseAlone(remove)

/** Steps of matching on this side between two turns of others: some milliseconds. */
const matchSteps = 20_000

type Page = readonly [cursor: string, keys: ReadonlyArray<string>]

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

/** Removes keys, so many by one command. Returns how many there were. */
const unlinkBy = (
  size: number,
  commands: Commands,
  operation: string,
  keys: ReadonlyArray<string>
): Effect.Effect<number, CacheError> =>
  Effect.map(
    all(Math.ceil(keys.length / size), (i, reply) => {
      const batch = keys.slice(i * size, (i + 1) * size)
      commands.command(batch[0]!, operation, "unlink", batch, reply)
    }),
    (removed) => removed.reduce<number>((sum, one) => sum + numberOf(one), 0)
  )

const unlink = (
  commands: Commands,
  operation: string,
  keys: ReadonlyArray<string>
): Effect.Effect<number, CacheError> => {
  // Each by a command of its own, as Cluster needs it.
  const apart = unlinkBy(1, commands, operation, keys)
  if (!commands.nodes.inOrder) return apart
  // By itself a node of a cluster may have every key and still refuse to remove those of many slots at once.
  return Effect.catch(unlinkBy(unlinkBatch, commands, operation, keys), (error) =>
    isServerError(error, "CROSSSLOT") ? apart : Effect.fail(error)
  )
}

/** Leases go, but for those of writes, which are made void: each by a script, or, where no room is left for any, like an entry. */
const drop = (
  commands: Commands,
  operation: string,
  leases: ReadonlyArray<string>
): Effect.Effect<unknown, CacheError> =>
  Effect.suspend(() => {
    const refused: Array<string> = []
    const dropped = all(leases.length, (i, reply) => {
      const lease = leases[i]!
      commands.run(operation, dropLease, [lease], (error, done) => {
        if (!isNoRoom(error)) return reply(error, done)
        refused.push(lease)
        reply(undefined, done)
      })
    })
    return Effect.andThen(
      dropped,
      Effect.suspend(() => unlink(commands, operation, refused))
    )
  })

/** What a pass looks for. */
interface Sought {
  readonly operation: string
  /** The glob that the server matches. */
  readonly match: string
  /** What is left of a page that it has found. */
  readonly select?: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>>
}

/** One pass over the keys of a node. The cursor runs to its end, so what was there all along is found. */
const passNode = (
  commands: Commands,
  node: Connection,
  { match, operation, select }: Sought,
  leasePrefix: string
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let page = yield* scan(commands, node, operation, match, "0")
    for (;;) {
      const [cursor, found] = page
      const keys = select === undefined ? found : yield* select(found)
      const leases = keys.filter((key) => key.startsWith(leasePrefix))
      const others = leases.length === 0 ? keys : keys.filter((key) => !key.startsWith(leasePrefix))
      const last = cursor === "0"
      // The next page is on its way while this one is removed; all of it goes out in one flush.
      const [next, count] = yield* Effect.all(
        [
          last ? Effect.succeed(page) : scan(commands, node, operation, match, cursor),
          unlink(commands, operation, others),
          drop(commands, operation, leases)
        ],
        { concurrency: "unbounded" }
      )
      removed += count
      if (last) return removed
      page = next
      // Let others run between pages.
      yield* Effect.yieldNow
    }
  })

/** The most rounds of a pass. A key is missed in one only if its slot moves in it, so in all only if it moves each time. */
const maxRounds = 3

/**
 * One pass over the keys that are sought, on every primary. On Cluster a key that moves to a primary that was
 * scanned already would be missed, so the pass is repeated if slots moved, or were about to, during it.
 */
const pass = (commands: Commands, sought: Sought, leasePrefix: string): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let before = yield* commands.nodes.survey
    for (let round = 1; ; round++) {
      const counts = yield* Effect.forEach(before.primaries, (node) => passNode(commands, node, sought, leasePrefix), {
        concurrency: "unbounded"
      })
      removed += counts.reduce((sum, count) => sum + count, 0)
      const after = yield* commands.nodes.survey
      const moved = before.moving || after.moving || before.owners !== after.owners
      if (!moved || round === maxRounds) return removed
      before = after
    }
  })

/** The keys of names that a set of patterns means, so many at a time that others get their turn. */
const selecting = ({ namespace }: Names, { cost, matches }: PatternSet): NonNullable<Sought["select"]> => {
  const from = `${namespace}:e:{`.length
  const size = Math.max(1, Math.floor(matchSteps / cost))
  return (found) =>
    Effect.map(
      inSteps(found, size, (some) => Effect.sync(() => some.filter((name) => matches(name.slice(from, -1))))),
      (steps) => (steps.length === 1 ? steps[0]! : steps.flat())
    )
}

const operation = "removeMatching"

/** One pass for all of the patterns, which are matched here. */
const matchingAny = (
  commands: Commands,
  names: Names,
  patterns: ReadonlyArray<string>
): Effect.Effect<number, CacheError> =>
  Effect.flatMap(
    checked(() => patternSet(patterns)),
    (set) => {
      const { namespace } = names
      const match = `${namespace}:[el]:{${set.start}*}`
      return pass(commands, { operation, match, select: selecting(names, set) }, `${namespace}:l:`)
    }
  )

export const removeScanned = {
  matchingAny,

  /** One pass over entries and leases whose key matches the pattern. Returns how many entries there were. */
  matching: (commands: Commands, names: Names, pattern: string): Effect.Effect<number, CacheError> =>
    Effect.gen(function*() {
      const globs = yield* checked(() => escapePattern(pattern))
      // What comes from outside must not make the server try one place after the other.
      if (globs.some((glob) => glob.split("*").length - 1 > maxServerStars)) {
        return yield* matchingAny(commands, names, [pattern])
      }
      const { namespace } = names
      let removed = 0
      for (const glob of globs) {
        removed += yield* pass(commands, { operation, match: `${namespace}:[el]:{${glob}}` }, `${namespace}:l:`)
      }
      return removed
    }),

  /** One pass over all entries, leases and markers. */
  all: (commands: Commands, { namespace }: Names): Effect.Effect<void, CacheError> =>
    Effect.andThen(
      pass(commands, { operation: "clear", match: `${namespace}:[el]:{*}` }, `${namespace}:l:`),
      Effect.asVoid(pass(commands, { operation: "clear", match: `${namespace}:t:*` }, `${namespace}:l:`))
    )
}
