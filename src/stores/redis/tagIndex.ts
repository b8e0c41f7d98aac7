/**
 * `TagIndex` on Redis: the epoch and the markers, each a key of its own, so that every script stays on one slot.
 */
import { randomBytes } from "node:crypto"
import { Effect, identity } from "effect"
import { CacheError, InvalidKey } from "../../CacheError.ts"
import { inSteps, stepSize } from "../../internal/inSteps.ts"
import { isNoRoom, whenFull } from "../../internal/noRoom.ts"
import { TagIndex } from "../../services/TagIndex.ts"
import { all, type Commands, millisOrNever, type Names } from "./commands.ts"
import type { Replicated } from "./durable.ts"
import { readMarkers, readOne, textOf } from "./lookups.ts"
import { isNoScript, luaClock, runOnce, script } from "./script.ts"
import { countsEnd, luaCount, luaEnded, parseCount } from "./wire/counts.ts"
import { isServerError, noRoom, unavailable } from "./wire/describe.ts"
import { isPending } from "./wire/reads.ts"
import type { Link } from "./wire/wire.ts"

/*
 * A script may run when Redis is full if its first command that writes needs no memory; then the others may take some
 * ("Eval scripts" in Redis's own documentation, of every version). What invalidates begins so, and so does what is needed to
 * go on and stays one key, or takes no more than is there. What stores does not.
 */

/** KEYS: the epoch. Creates it from the clock when there is none, or what is there is no count. One at its end stays. */
const createEpoch = script(
  1,
  `
${luaClock}
${luaCount}
local text = redis.pcall("GET", KEYS[1])
${luaEnded}
if count(text) then return text end
if ended(text) then return "${countsEnd}" end
redis.call("PERSIST", KEYS[1])
local now = string.format("%.0f", clock())
redis.call("SET", KEYS[1], now)
return now`
)

/**
 * KEYS: the epoch. Moves it on: above what it was, and above every value it had before it was lost. Where no number is left above
 * it, it comes to its end, and nobody loads under it any more. From the clock it would begin below all that was stored.
 */
const bumpEpoch = script(
  1,
  `
${luaClock}
${luaCount}
redis.call("PERSIST", KEYS[1])
${luaEnded}
local text = redis.pcall("GET", KEYS[1])
local before = count(text) or 0
if ended(text) or before + 1 >= ${countsEnd} then
  redis.call("SET", KEYS[1], "${countsEnd}")
  return "${countsEnd}"
end
local now = string.format("%.0f", math.max(before + 1, clock()))
redis.call("SET", KEYS[1], now)
return now`
)

/** KEYS: the epoch. Takes away one that is at its end. */
const forgetEpoch = script(
  1,
  `
${luaCount}
${luaEnded}
if ended(redis.pcall("GET", KEYS[1])) then redis.call("UNLINK", KEYS[1]) end
return 1`
)

// Makes a marker last at least so long; 0 means for ever. Never shortens it.
const luaOutlive = `
local function outlive(ttl)
  local left = redis.call("PTTL", KEYS[1])
  if left == -1 then return end
  if ttl == 0 then redis.call("PERSIST", KEYS[1])
  elseif left < ttl then redis.call("PEXPIRE", KEYS[1], ttl) end
end`

/**
 * KEYS: a marker. ARGV: our pending text, ttl. Returns the marker, or the pending text that is in its place now: ours, or
 * one that another process put there and has not confirmed yet.
 */
const pendMarker = script(
  1,
  `
${luaCount}
${luaOutlive}
local found = redis.pcall("GET", KEYS[1])
if count(found) or (type(found) == "string" and string.match(found, "^%?[%w_-]+$")) then
  outlive(tonumber(ARGV[2]))
  return found
end
if ARGV[2] == "0" then redis.call("SET", KEYS[1], ARGV[1])
else redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end
return ARGV[1]`
)

/** KEYS: a marker. ARGV: pending text, epoch. */
const confirmMarker = script(
  1,
  `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
local left = redis.call("PTTL", KEYS[1])
if left < 0 then redis.call("PERSIST", KEYS[1])
else redis.call("PEXPIRE", KEYS[1], math.max(left, 1)) end
redis.call("SET", KEYS[1], ARGV[2], "KEEPTTL")
return 1`
)

/**
 * KEYS: a marker. ARGV: epoch. Raises it, and never lowers it. One that is missing stays missing, and a pending text goes: this
 * epoch was read a while ago, and the marker may have been lost since, and with it a later invalidation. Only `ensure`, which
 * looks first and then reads the epoch, may make it anew; until then everything under it is stale. The same where there is no
 * room to raise it.
 */
const raiseMarker = script(
  1,
  `
${luaCount}
local found = count(redis.pcall("GET", KEYS[1]))
if not found then redis.call("UNLINK", KEYS[1])
elseif found < tonumber(ARGV[1]) then
  local raised = redis.pcall("SET", KEYS[1], ARGV[1], "KEEPTTL")
  if raised.err then redis.call("UNLINK", KEYS[1]) end
end
return 1`
)

/** As `luaEnded`, on this side. */
const isEnded = (text: unknown): boolean =>
  typeof text === "string" && /^\d+$/.test(text) && parseCount(text) === undefined

/** Starts it, and waits for nothing. A primitive sends its commands before it first suspends. */
const sendOnly = (self: Effect.Effect<unknown, CacheError>): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkDetach(Effect.ignore(self), { startImmediately: true }))

const unique = (tags: ReadonlyArray<string>): ReadonlyArray<string> => (tags.length < 2 ? tags : [...new Set(tags)])

// Pending texts must never repeat. A prefix for this process and a counter are cheaper than randomness for each.
const nonces = () => {
  const prefix = `?${randomBytes(12).toString("base64url")}-`
  let count = 0
  return () => prefix + (++count).toString(36)
}

export interface RedisTagIndex {
  readonly service: TagIndex["Service"]
  /**
   * Moves the epoch on, and then does what removes everything. The way out for an epoch at its end: nothing is born while it is
   * there, and once all that was born before is gone, it is made anew from the clock. For one that cannot be moved on for want of
   * room, what removes everything makes some; what was born meanwhile goes after it was moved on.
   */
  readonly clearing: (commands: Commands, removal: Effect.Effect<void, CacheError>) => Effect.Effect<void, CacheError>
}

export const makeTagIndex = (commands: Commands, names: Names, replicated: Replicated): RedisTagIndex => {
  const nonce = nonces()

  const atItsEnd = () => {
    const problem = "the epoch is at its end, and no invalidation can follow it; clear the namespace to begin anew"
    return new CacheError({ reason: new InvalidKey({ key: names.epoch, problem }) })
  }
  // A reply that is no count has failed. As a count it would be below every `born`, and what it invalidates would stay valid.
  const counted = (operation: string, self: Effect.Effect<unknown, CacheError>): Effect.Effect<number, CacheError> =>
    Effect.flatMap(self, (reply) => {
      const count = parseCount(reply)
      if (count !== undefined) return Effect.succeed(count)
      return Effect.fail(
        reply === countsEnd ? atItsEnd() : unavailable(operation, `what came back for ${names.epoch} is no count`)
      )
    })
  const create = counted("epoch", commands.script("epoch", createEpoch, [names.epoch], identity))
  /** What is in the place of the epoch, and who said so. What is no text is there as little as for the scripts. */
  const look = (on: Commands, operation: string) =>
    Effect.callback<{ readonly text: unknown; readonly by: Link | undefined }, CacheError>((resume) => {
      on.command(names.epoch, operation, "get", [names.epoch], (error, text, by) => {
        if (error === undefined) return resume(Effect.succeed({ text, by }))
        resume(isServerError(error, "WRONGTYPE") ? Effect.succeed({ text: undefined, by }) : Effect.fail(error))
      })
    })
  /** The clock of a server, as `luaClock` gives it. */
  const clockOf = (by: Link | undefined, operation: string) =>
    Effect.callback<number, CacheError>((resume) => {
      const none = () => resume(Effect.fail(unavailable(operation, "what came back from TIME is no time")))
      if (by === undefined) return none()
      by.command(
        operation,
        "time",
        [],
        "utf8",
        (error, time) => {
          if (error !== undefined) return resume(Effect.fail(error))
          const [seconds, micros] = Array.isArray(time) ? time.map((part) => parseCount(String(part))) : []
          if (seconds === undefined || micros === undefined) return none()
          resume(Effect.succeed(seconds * 1_000_000 + micros))
        },
        true
      )
    })
  const forget = (on: Commands, operation: string): Effect.Effect<undefined, CacheError> =>
    on.one(operation, "unlink", [names.epoch], () => undefined)
  /**
   * Where no script runs for want of room, the evidence goes: the epoch, acknowledged, and after it what it is the evidence for.
   * A marker that goes before the epoch would come back at the old one. The epoch comes back from the server's clock, so one that
   * is not below that must stay, with all that was born at it.
   *
   * `GET`, `TIME`, `UNLINK`, of one server. What others do to the epoch in between:
   * - They move it on: it was below the clock, so it is set to the clock, and that is below what the clock gives later.
   * - They make it, because it was missing or no count: from the clock, too.
   * - They unlink it, here or at the end of a clearing: so it is gone already.
   * For the rest the clock must not step back until the epoch is there again, and nobody may set it by hand meanwhile.
   */
  const forgetBelowClock = (on: Commands): Effect.Effect<undefined, CacheError> =>
    Effect.flatMap(look(on, "invalidate"), ({ by, text }) => {
      if (isEnded(text)) return Effect.fail(atItsEnd())
      const count = parseCount(text)
      if (count === undefined) return forget(on, "invalidate")
      return Effect.flatMap(clockOf(by, "invalidate"), (now) => {
        if (count < now) return forget(on, "invalidate")
        const problem =
          `the epoch ${names.epoch} is ahead of the server's clock, so it would come back below what was stored under it, and ` +
          "there is no room to move it on; make room, or clear the namespace, which makes some"
        return Effect.fail(noRoom("invalidate", problem))
      })
    })
  /** The new epoch; `undefined` where it was removed instead. */
  const bump = (on: Commands): Effect.Effect<number | undefined, CacheError> =>
    whenFull(counted("invalidate", on.script("invalidate", bumpEpoch, [names.epoch], identity)), () =>
      forgetBelowClock(on)
    )
  const orCreate = (text: unknown): Effect.Effect<number, CacheError> => {
    const found = parseCount(text)
    return found === undefined ? create : Effect.succeed(found)
  }

  const epoch = Effect.flatMap(readOne(commands.nodes, names.epoch, textOf), orCreate)
  const markers = (tags: ReadonlyArray<string>) => readMarkers(commands.nodes, names, tags)

  /**
   * One awaited trip, and right even if a marker is evicted between any two steps.
   *
   * A missing marker must come back at an epoch read *after* it was seen missing: an invalidation before that moment may
   * have been lost with the marker, and has an epoch of at most that one. But no single-slot script sees both marker and
   * epoch. So the marker is first set to a pending text, under which nothing is valid; then, later on the same connection,
   * the epoch is read; then a script replaces the pending text, and only that very text, by this epoch.
   * - An invalidation in between removes the pending text, so the confirmation finds it gone and does nothing.
   * - An eviction in between leaves nothing, so it does nothing: no marker, a miss. The text is never used twice, so it
   *   cannot come back for a later absence.
   * - A confirmation that is lost leaves the pending text: misses, until the next `ensure` confirms it.
   * A pending text of somebody else is kept and confirmed as if it were ours: we saw it before we read our epoch, so that
   * epoch is late enough too. Replacing it would be as safe, but under many loads at once each would undo the last one's
   * and none be confirmed.
   *
   * The confirmation is sent, not awaited. A fill that was sent in one flush with this is carried out a round trip before
   * the confirmation: for so long its entry is in place and not valid yet, and `markers` gives `Infinity`.
   * On Cluster the epoch may live on another node, so it is read after the pending texts are acknowledged. There the
   * confirmation is awaited: no order of commands makes it come before the next read of the one who filled.
   */
  const ensureSome = (wanted: ReadonlyArray<string>, ttlMillis: number): Effect.Effect<void, CacheError> =>
    Effect.suspend(() => {
      const { inOrder } = commands.nodes
      return Effect.flatMap(pend(wanted, ttlMillis, inOrder), (replies) => {
        const pending: Array<readonly [tag: string, text: string]> = []
        wanted.forEach((tag, i) => {
          const text = replies[i]
          if (isPending(text)) pending.push([tag, text])
        })
        if (pending.length === 0) return Effect.void
        return Effect.flatMap(inOrder ? orCreate(replies[wanted.length]) : epoch, (now) => {
          const confirm = all(pending.length, (i, reply) => {
            const [tag, text] = pending[i]!
            commands.run("ensure", confirmMarker, [names.marker(tag), text, now], reply)
          })
          return inOrder ? sendOnly(confirm) : Effect.asVoid(confirm)
        })
      })
    })

  /** Of very many tags the fill that goes with them comes before the last: for so long its entry is stale. */
  const ensure = (tags: ReadonlyArray<string>, ttlMillis: number): Effect.Effect<void, CacheError> =>
    Effect.suspend(() => {
      const wanted = unique(tags)
      if (wanted.length === 0) return Effect.void
      return Effect.asVoid(inSteps(wanted, stepSize, (step) => ensureSome(step, ttlMillis)))
    })

  /** The pending texts, and, where commands are carried out in order, the epoch behind them. */
  const pend = (
    tags: ReadonlyArray<string>,
    ttlMillis: number,
    withEpoch: boolean,
    whole = false
  ): Effect.Effect<ReadonlyArray<unknown>, CacheError> => {
    const text = nonce()
    const ttl = millisOrNever(ttlMillis)
    let forgotten = false
    return Effect.flatMap(
      all(tags.length + (withEpoch ? 1 : 0), (i, reply) => {
        const tag = tags[i]
        if (tag === undefined) return commands.command(names.epoch, "ensure", "get", [names.epoch], reply)
        runOnce(commands.nodes, "ensure", pendMarker, [names.marker(tag), text, ttl], whole, (error, found) => {
          if (!isNoScript(error)) return reply(error, found)
          forgotten = true
          reply(undefined, undefined)
        })
      }),
      // Retrying only the pending texts would put them after the epoch was read, so all of it is done again.
      (replies) => (forgotten ? pend(tags, ttlMillis, withEpoch, true) : Effect.succeed(replies))
    )
  }

  const invalidate = (tags: ReadonlyArray<string>): Effect.Effect<void, CacheError> =>
    Effect.suspend(() => {
      const wanted = unique(tags)
      if (wanted.length === 0) return Effect.void
      return replicated((on) =>
        Effect.flatMap(bump(on), (now) =>
          Effect.asVoid(
            inSteps(wanted, stepSize, (step) =>
              all(step.length, (i, reply) => {
                const marker = names.marker(step[i]!)
                const forget = () => on.command(marker, "invalidate", "unlink", [marker], reply)
                if (now === undefined) return forget()
                on.run("invalidate", raiseMarker, [marker, now], (error, raised, by) =>
                  isNoRoom(error) ? forget() : reply(error, raised, by)
                )
              })
            )
          )
        )
      )
    })

  /** Takes away an epoch at its end. One that others make anew between the two steps is from the clock, and may go as well. */
  const forgetEnded = (on: Commands): Effect.Effect<undefined, CacheError> =>
    whenFull(
      on.script("clear", forgetEpoch, [names.epoch], () => undefined),
      () => Effect.flatMap(look(on, "clear"), ({ text }) => (isEnded(text) ? forget(on, "clear") : Effect.undefined))
    )

  const clearing: RedisTagIndex["clearing"] = (on, removal) => {
    const once = (otherwise: (error: CacheError) => Effect.Effect<void, CacheError>): Effect.Effect<void, CacheError> =>
      Effect.matchEffect(bump(on), {
        onFailure: (error) =>
          error.reason._tag === "InvalidKey" ? Effect.andThen(removal, forgetEnded(on)) : otherwise(error),
        onSuccess: () => removal
      })
    return once((error) => (isNoRoom(error) ? Effect.andThen(removal, once(Effect.fail)) : Effect.fail(error)))
  }

  return { service: TagIndex.of({ epoch, markers, ensure, invalidate }), clearing }
}
