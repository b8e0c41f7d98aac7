/**
 * `LockStore` on Redis: a token with a time to live, and a fence beside it in the same slot.
 */
import { Effect } from "effect"
import type { LockStore } from "../../services/LockManager.ts"
import { type Commands, millisOf, type Names } from "./commands.ts"
import { luaClock, script } from "./script.ts"
import { luaCount, parseCount } from "./wire/counts.ts"
import { isServerError } from "./wire/describe.ts"
import { isOne } from "./wire/wire.ts"

/**
 * KEYS: lock, fence. ARGV: token, ttl, least ttl of the fence. A resent command finds its own token and is granted again,
 * with a new fence. A fence that was lost is created again from the clock, which is above every one before.
 */
const acquire = script(
  2,
  `
${luaClock}
${luaCount}
local holder = redis.call("GET", KEYS[1])
if holder and holder ~= ARGV[1] then return false end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
local before = count(redis.pcall("GET", KEYS[2])) or 0
local fence = string.format("%.0f", math.max(before + 1, clock()))
redis.call("SET", KEYS[2], fence, "PX", math.max(tonumber(ARGV[2]), tonumber(ARGV[3])))
return fence`
)

/** KEYS: lock. ARGV: token, ttl. */
const extend = script(
  1,
  `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])`
)

/** KEYS: lock. ARGV: token. */
const release = script(
  1,
  `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("UNLINK", KEYS[1])`
)

/** A fence that is kept goes up by one even if the server's clock goes back. */
const fenceMillis = 7 * 86_400_000

export const makeLockStore = (commands: Commands, names: Names): LockStore => ({
  acquire: (name, token, ttlMillis) =>
    Effect.catch(
      commands.script(
        "lock",
        acquire,
        [names.lock(name), names.fence(name), token, millisOf(ttlMillis), fenceMillis],
        parseCount
      ),
      // While a slot moves, lock and fence may be on two nodes: not free now, ask again.
      (error) => (isServerError(error, "TRYAGAIN") ? Effect.succeed(undefined) : Effect.fail(error))
    ),
  extend: (name, token, ttlMillis) =>
    commands.script("extendLock", extend, [names.lock(name), token, millisOf(ttlMillis)], isOne),
  release: (name, token) => commands.script("unlock", release, [names.lock(name), token], isOne)
})
