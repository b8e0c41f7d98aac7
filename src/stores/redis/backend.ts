/**
 * `CacheBackend` on Redis.
 */
import { Effect } from "effect"
import type { Compressor } from "../../CacheEntry.ts"
import { CacheError, InvalidKey } from "../../CacheError.ts"
import { isNoRoom, whenFull } from "../../internal/noRoom.ts"
import { encodeTag, MAX_TAG_BYTES } from "../../entry/layout.ts"
import { inSteps, stepSize, sum } from "../../internal/inSteps.ts"
import {
  type BackendUsage,
  CacheBackend,
  type Give,
  type Intent,
  type Stored,
  type TakenOver
} from "../../services/CacheBackend.ts"
import * as Scripts from "./backendScripts.ts"
import { all, type Commands, millisOf, millisOrNever, type Names } from "./commands.ts"
import type { Replicated } from "./durable.ts"
import type { Hints } from "./hints.ts"
import { IntentIndex, makeIntents, putArgs } from "./intents.ts"
import { bytesOf, readLookup, readLookups, readOne } from "./lookups.ts"
import { removeScanned } from "./scan.ts"
import type { RedisTagIndex } from "./tagIndex.ts"
import { isForbidden, isServerError, unavailable } from "./wire/describe.ts"
import { isOne, numberOf } from "./wire/wire.ts"

const noop = () => undefined

/** A writer that lost its lease unlinks, and that must last. What it fills may be lost: the slot is empty then. */
const lost = (held: boolean): boolean => !held

const field = (info: unknown, name: string): number => {
  const found = new RegExp(`^${name}:(\\d+)`, "m").exec(String(info))
  return found === null ? 0 : Number(found[1])
}

const heldBy = (reply: unknown): TakenOver => ({ holder: String(reply) })

const takenOver = (reply: unknown): TakenOver => {
  const [holder, unlinked] = reply as readonly [unknown, Uint8Array | undefined]
  return { holder: String(holder), unlinked }
}

const usage = [["dbsize"], ["info", "memory"], ["info", "stats"]] as const

export const makeBackend = (
  commands: Commands,
  names: Names,
  hints: Hints,
  options: {
    readonly compressor: Compressor | undefined
    readonly isolation: "reference" | "clone"
    /** How much longer a write may take that waits for replicas. */
    readonly replicationMillis: number
    readonly replicated: Replicated
    /** Moves the epoch on, then runs the removal of everything. */
    readonly clearing: RedisTagIndex["clearing"]
  }
): CacheBackend["Service"] => {
  const { replicated } = options
  const intentIndex = new IntentIndex(commands, names)

  const refused = (operation: string, problem: string) => Effect.fail(unavailable(operation, problem))

  // ioredis takes bytes as a Buffer only. The view shares the memory.
  const bufferOf = (stored: Stored): Buffer | undefined =>
    stored instanceof Uint8Array ? Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength) : undefined

  /**
   * While a slot moves, entry and lease of a key may be on two nodes, and what needs both is refused (`TRYAGAIN`). What can be
   * done with one after the other is done so. The lease first: without it nothing fills behind the removal of the entry.
   */
  const oneByOne = <A>(
    whole: Effect.Effect<A, CacheError>,
    steps: () => Effect.Effect<A, CacheError>
  ): Effect.Effect<A, CacheError> =>
    Effect.catch(whole, (error) => (isServerError(error, "TRYAGAIN") ? steps() : Effect.fail(error)))

  /**
   * The same of what is done with intents by the way: while a slot moves, those that are not there are enough to be refused, and so
   * is a user who may not touch them.
   */
  const orWithout = <A>(
    whole: Effect.Effect<A, CacheError>,
    without: () => Effect.Effect<A, CacheError>
  ): Effect.Effect<A, CacheError> =>
    Effect.catch(whole, (error) =>
      isServerError(error, "TRYAGAIN") || isForbidden(error) ? without() : Effect.fail(error)
    )

  const unlink = (on: Commands, name: string) => on.one("remove", "unlink", [name], numberOf)

  const slotOf = (key: string) => [names.lease(key), names.entry(key)] as const

  /** As an invalidation of a key does. A server that runs no script when it is full runs the commands. */
  const drop = (on: Commands, key: string): Effect.Effect<unknown, CacheError> =>
    whenFull(on.script("remove", Scripts.withLeaseAlone(Scripts.remove), [names.lease(key)], noop), () =>
      unlink(on, names.lease(key))
    )

  /** Unlinks an entry whose lease has changed already, so nothing fills in between; and gives it back, if it is asked for. */
  const takeEntry = (on: Commands, key: string, give: Give | undefined) =>
    give === undefined
      ? Effect.as(unlink(on, names.entry(key)), undefined)
      : Effect.tap(readOne(on.nodes, names.entry(key), bytesOf), () => unlink(on, names.entry(key)))

  const removeApart = (on: Commands, key: string): Effect.Effect<number, CacheError> =>
    Effect.andThen(drop(on, key), unlink(on, names.entry(key)))

  const releaseAlone = (
    on: Commands,
    key: string,
    token: string,
    onLost: "keep" | "unlink"
  ): Effect.Effect<boolean, CacheError> =>
    on.script(
      "release",
      Scripts.withLeaseAlone(Scripts.release),
      [names.lease(key), token, onLost, names.channel(key)],
      isOne
    )

  /** What is not filled leaves the slot as a lease that was lost. */
  const unfilled = (
    on: Commands,
    key: string,
    token: string,
    onLost: "keep" | "unlink" | "empty"
  ): Effect.Effect<false, CacheError> => {
    const emptied = onLost === "keep" ? Effect.void : unlink(on, names.entry(key))
    const given = whenFull(releaseAlone(on, key, token, onLost === "unlink" ? "unlink" : "keep"), (error) =>
      onLost === "unlink"
        ? unlink(on, names.lease(key))
        : // A lease that cannot be looked at for want of room stays, and is told of; the entry goes all the same.
          Effect.andThen(emptied, Effect.fail(error))
    )
    return Effect.as(Effect.andThen(given, emptied), false)
  }

  const removeKeys = (on: Commands, keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
    Effect.suspend(() => {
      const apart: Array<string> = []
      const whole = all(keys.length, (i, reply) => {
        const key = keys[i]!
        on.run("remove", Scripts.remove, slotOf(key), (error, removed) => {
          if (!isServerError(error, "TRYAGAIN") && !isNoRoom(error)) return reply(error, removed)
          apart.push(key)
          reply(undefined, 0)
        })
      })
      return Effect.flatMap(whole, (removed) =>
        Effect.reduce(
          apart,
          () => removed.reduce<number>((sum, count) => sum + numberOf(count), 0),
          (sum, key) => Effect.map(removeApart(on, key), (count) => sum + count)
        )
      )
    })

  return CacheBackend.of({
    name: "redis",
    format: "bytes",
    isolation: options.isolation,
    compressor: options.compressor,
    deadlineMillis: commands.nodes.timeoutMillis,
    replicationMillis: options.replicationMillis,
    local: undefined,

    read: (key) => readOne(commands.nodes, names.entry(key), bytesOf),
    fast: {
      lookup: (key, tags, done) => readLookup(commands.nodes, names, key, tags, done),
      lookupMany: (keys, tags) => readLookups(commands.nodes, names, keys, tags),
      removeMatchingAny: (patterns) => replicated((on) => removeScanned.matchingAny(on, names, patterns))
    },

    // The reply of `SET … NX GET` is the holder before: nil means granted, our own token that this was resent.
    acquire: (key, token, ttlMillis) =>
      commands.one("acquire", "set", [names.lease(key), token, "NX", "GET", "PX", millisOf(ttlMillis)], (holder) =>
        holder === null ? token : String(holder)
      ),

    takeOver: (key, token, ttlMillis, as, give, intent) => {
      const args = [token, millisOf(ttlMillis), as] as const
      const unlinks = ({ holder }: TakenOver): boolean => as === "write" || (as === "set" && holder !== token)
      const unlinked = (on: Commands, taken: TakenOver): Effect.Effect<TakenOver, CacheError> =>
        Effect.map(takeEntry(on, key, give), (unlinked) => ({ ...taken, unlinked }))
      const plain = (on: Commands) =>
        give === undefined || as !== "write"
          ? on.script("takeOver", Scripts.takeOver, [...slotOf(key), ...args], heldBy)
          : on.script("takeOver", Scripts.takeOverGiving, [...slotOf(key), ...args, give], takenOver, null)
      const intending = (on: Commands, intent: Intent) =>
        Effect.suspend(() => {
          // It may be on another server, and nothing of the lease waits for it.
          const indexed = intentIndex.added(key, token, ttlMillis)
          return on.script(
            "takeOver",
            Scripts.takeOverIntending,
            [...slotOf(key), names.intents(key), ...args, give ?? "", ...putArgs(intent, ttlMillis)],
            (reply): TakenOver => {
              const [done, unlinked] = Array.isArray(reply) ? reply : [reply]
              return { holder: token, unlinked, intended: isOne(done) ? indexed : undefined }
            },
            give === undefined ? "utf8" : null
          )
        })
      const whole = (on: Commands) =>
        intent === undefined || as !== "write" ? plain(on) : orWithout(intending(on, intent), () => plain(on))
      const taken = (on: Commands) =>
        oneByOne(whole(on), () =>
          Effect.flatMap(
            on.script("takeOver", Scripts.withLeaseAlone(Scripts.takeOver), [names.lease(key), ...args], heldBy),
            (taken) => (unlinks(taken) ? unlinked(on, taken) : Effect.succeed(taken))
          )
        )
      // Without room it is as if the lease were lost as soon as it was taken: nobody else's is left, and a fill is refused.
      const take = (on: Commands) =>
        whenFull(taken(on), () =>
          Effect.flatMap(drop(on, key), () =>
            as === "write" ? unlinked(on, { holder: token }) : Effect.succeed({ holder: token })
          )
        )
      // With the entry removed it begins a write: an older one must not be back after a failover.
      return as === "refresh" ? take(commands) : replicated(take, unlinks)
    },

    takeOverFrom: (key, from, token, ttlMillis) =>
      commands.script(
        "takeOverFrom",
        Scripts.takeOverFrom,
        [names.lease(key), from, token, millisOf(ttlMillis)],
        isOne
      ),

    renew: (key, token, ttlMillis) =>
      commands.script("renew", Scripts.renew, [names.lease(key), token, millisOf(ttlMillis)], isOne),

    fill: (key, token, { stored, ttlMillis }, onLost, intended) => {
      const bytes = bufferOf(stored)
      if (bytes === undefined) return refused("fill", "the entry is not encoded")
      const args = [token, bytes, millisOrNever(ttlMillis), onLost, names.channel(key)]
      const plain = (on: Commands) => on.script("fill", Scripts.fill, [...slotOf(key), ...args], isOne)
      const asking = (on: Commands, intended: () => void) =>
        on.script("fill", Scripts.fillAsking, [...slotOf(key), names.intents(key), ...args], (reply) => {
          const told = numberOf(reply)
          if (told === Scripts.filledBesideIntents) intended()
          return told > 0
        })
      const fill = (on: Commands) => {
        // What cannot look at the lease must not fill.
        const otherwise = () => unfilled(on, key, token, onLost)
        const whole = intended === undefined ? plain(on) : orWithout(asking(on, intended), () => plain(on))
        return whenFull(oneByOne(whole, otherwise), otherwise)
      }
      return onLost === "keep" ? fill(commands) : replicated(fill, lost)
    },

    release: (key, token, onLost) =>
      onLost === "keep"
        ? releaseAlone(commands, key, token, onLost)
        : replicated(
            (on) =>
              oneByOne(
                on.script("release", Scripts.release, [...slotOf(key), token, onLost, names.channel(key)], isOne),
                () =>
                  Effect.tap(releaseAlone(on, key, token, onLost), (held) =>
                    held ? Effect.void : unlink(on, names.entry(key))
                  )
              ),
            lost
          ),

    remove: (keys) =>
      replicated((on) =>
        Effect.map(
          inSteps(keys, stepSize, (step) => removeKeys(on, step)),
          sum
        )
      ),

    removeMatching: (pattern) => replicated((on) => removeScanned.matching(on, names, pattern)),

    addTags: (key, tags) => {
      const encoded: Array<Buffer> = []
      for (const tag of tags) {
        const bytes = encodeTag(tag)
        if (bytes.length > MAX_TAG_BYTES) {
          return Effect.fail(
            new CacheError({
              reason: new InvalidKey({ key: tag.slice(0, 200), problem: `a tag of more than ${MAX_TAG_BYTES} bytes` })
            })
          )
        }
        encoded.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      }
      return Effect.flatMap(
        commands.script("addTags", Scripts.addTags, [names.entry(key), ...encoded], numberOf),
        (reply) => (reply === 2 ? refused("addTags", "the entry has too many tags") : Effect.succeed(reply === 1))
      )
    },

    awaitRelease: (key, token) =>
      hints.wait(names.channel(key), (gone) => {
        commands.nodes.read(names.lease(key), {
          // A failure says nothing about the lease.
          arrived: ({ error, text }) => {
            if (error === undefined && text !== token) gone()
          }
        })
      }),

    intents: makeIntents(commands, names, intentIndex),

    // The epoch first: what is filled from now on with an older one is stale if it bears a tag, and what bears none is
    // found by the second pass, because a fill turns a lease into an entry behind the cursor's back. Locks are no entries.
    clear: replicated((on) =>
      options.clearing(on, Effect.andThen(removeScanned.all(on, names), removeScanned.all(on, names)))
    ),

    usage: Effect.suspend(() => {
      const primaries = commands.nodes.primaries()
      return Effect.map(
        all(primaries.length * usage.length, (i, reply) => {
          const [name, ...args] = usage[i % usage.length]!
          primaries[Math.floor(i / usage.length)]!.command("usage", name, args, "utf8", reply, true)
        }),
        (replies): BackendUsage => {
          const sum = (part: number, count: (reply: unknown) => number) =>
            replies.reduce<number>((sum, reply, i) => (i % usage.length === part ? sum + count(reply) : sum), 0)
          return {
            scope: "server",
            entries: sum(0, numberOf),
            bytes: sum(1, (info) => field(info, "used_memory")),
            evictions: sum(2, (info) => field(info, "evicted_keys"))
          }
        }
      )
    })
  })
}
