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
import { all, type Commands, type Names } from "./commands.ts"
import type { Connection } from "./wire/connection.ts"
import { isServerError } from "./wire/describe.ts"
import { numberOf } from "./wire/wire.ts"

/** Keys that one SCAN looks at: under a millisecond of the server. */
const scanCount = 1_000

/** Keys that one UNLINK removes: about as long. */
const unlinkBatch = 512

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

/** One pass over the keys of a node. The cursor runs to its end, so what was there all along is found. */
const passNode = (
  commands: Commands,
  node: Connection,
  operation: string,
  match: string,
  leasePrefix: string
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let page = yield* scan(commands, node, operation, match, "0")
    for (;;) {
      const [cursor, keys] = page
      const leases = keys.filter((key) => key.startsWith(leasePrefix))
      const others = leases.length === 0 ? keys : keys.filter((key) => !key.startsWith(leasePrefix))
      const last = cursor === "0"
      // The next page is on its way while this one is removed; all of it goes out in one flush.
      const [next, count] = yield* Effect.all(
        [
          last ? Effect.succeed(page) : scan(commands, node, operation, match, cursor),
          unlink(commands, operation, others),
          unlink(commands, operation, leases)
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
 * One pass over the keys that match the glob `match`, on every primary. On Cluster a key that moves to a primary that was
 * scanned already would be missed, so the pass is repeated if slots moved, or were about to, during it.
 */
const pass = (
  commands: Commands,
  operation: string,
  match: string,
  leasePrefix: string
): Effect.Effect<number, CacheError> =>
  Effect.gen(function*() {
    let removed = 0
    let before = yield* commands.nodes.survey
    for (let round = 1; ; round++) {
      const counts = yield* Effect.forEach(
        before.primaries,
        (node) => passNode(commands, node, operation, match, leasePrefix),
        { concurrency: "unbounded" }
      )
      removed += counts.reduce((sum, count) => sum + count, 0)
      const after = yield* commands.nodes.survey
      const moved = before.moving || after.moving || before.owners !== after.owners
      if (!moved || round === maxRounds) return removed
      before = after
    }
  })

export const removeScanned = {
  /** One pass over entries and leases whose key matches the pattern. Returns how many entries there were. */
  matching: (commands: Commands, { namespace }: Names, pattern: string): Effect.Effect<number, CacheError> =>
    Effect.gen(function*() {
      const globs = yield* Effect.try({
        try: () => escapePattern(pattern),
        catch: (error) => error as CacheError
      })
      let removed = 0
      for (const glob of globs) {
        removed += yield* pass(commands, "removeMatching", `${namespace}:[el]:{${glob}}`, `${namespace}:l:`)
      }
      return removed
    }),

  /** One pass over all entries, leases and markers. */
  all: (commands: Commands, { namespace }: Names): Effect.Effect<void, CacheError> =>
    Effect.andThen(
      pass(commands, "clear", `${namespace}:[el]:{*}`, `${namespace}:l:`),
      Effect.asVoid(pass(commands, "clear", `${namespace}:t:*`, `${namespace}:l:`))
    )
}
