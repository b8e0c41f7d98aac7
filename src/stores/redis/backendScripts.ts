/**
 * The scripts of `CacheBackend`. Where there are two keys, KEYS[1] is the entry and KEYS[2] the lease; they share a slot.
 */
import * as Layout from "../../entry/layout.ts"
import { script } from "./script.ts"

// A user who may not publish must still be able to fill: the hint is a courtesy, so its failure is swallowed.
const luaHint = `
local function hint(channel, token) redis.pcall("PUBLISH", channel, token) end`

/** ARGV: token, ttl, "1" to unlink the entry. Both in one step: no read sees the old entry under the new lease. */
export const takeOver = script(
  2,
  `
redis.call("SET", KEYS[2], ARGV[1], "PX", ARGV[2])
if ARGV[3] == "1" then redis.call("UNLINK", KEYS[1]) end
return 1`
)

/** KEYS: the lease. ARGV: the token that may hold it, its successor, ttl. One that is sent twice finds its own. */
export const takeOverFrom = script(
  1,
  `
local holder = redis.call("GET", KEYS[1])
if holder ~= ARGV[1] and holder ~= ARGV[2] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return 1`
)

/** KEYS: the lease. ARGV: token, ttl. */
export const renew = script(
  1,
  `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])`
)

/**
 * ARGV: token, entry, ttl (0 for none), what to do when lost ("1": unlink both, "2": unlink the entry), channel. Fence on fill: the
 * entry is written only while the token holds the lease. An absent lease rejects: GET gives false, which equals no token. The
 * losing writer unlinks.
 */
export const fill = script(
  2,
  `
${luaHint}
if redis.call("GET", KEYS[2]) == ARGV[1] then
  if ARGV[3] == "0" then redis.call("SET", KEYS[1], ARGV[2])
  else redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3]) end
  redis.call("UNLINK", KEYS[2])
  hint(ARGV[5], ARGV[1])
  return 1
end
if ARGV[4] == "1" then redis.call("UNLINK", KEYS[1], KEYS[2])
elseif ARGV[4] == "2" then redis.call("UNLINK", KEYS[1]) end
return 0`
)

/** KEYS: the lease. ARGV: token, channel. */
export const release = script(
  1,
  `
${luaHint}
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("UNLINK", KEYS[1])
hint(ARGV[2], ARGV[1])
return 1`
)

/** Key invalidation drops the lease, in the same step. Returns how many entries there were. */
export const remove = script(
  2,
  `
local removed = redis.call("UNLINK", KEYS[1])
redis.call("UNLINK", KEYS[2])
return removed`
)

/**
 * KEYS: the entry. ARGV: tags as stored. Splices them into the tag section, or makes one; everything else stays, also the
 * time to live. Returns 0 when there is no entry, 1 when it bears the tags now, 2 when they are too many.
 */
export const addTags = script(
  1,
  `
if redis.call("TYPE", KEYS[1]).ok ~= "string" then return 0 end
local bytes = redis.call("GET", KEYS[1])
local total = #bytes
if total < ${Layout.HEAD_BYTES} then return 0 end
if string.byte(bytes, ${Layout.MAGIC_OFFSET + 1}) ~= ${Layout.MAGIC} then return 0 end
local flags = string.byte(bytes, ${Layout.FLAGS_OFFSET + 1})
if bit.band(flags, ${Layout.VERSION_MASK}) ~= ${Layout.VERSION} then return 0 end
-- Positions count from 1. A number is read from where it starts, and comes with where it ends.
local function number(at)
  local first, high, low = string.byte(bytes, at, at + 2)
  if first == nil then return -1, at end
  if first < ${Layout.LONG_NUMBER} then return first, at + 1 end
  if low == nil or high == 0 and low < ${Layout.LONG_NUMBER} then return -1, at end
  return high * 256 + low, at + 3
end
local function text(n)
  if n < ${Layout.LONG_NUMBER} then return string.char(n) end
  return string.char(${Layout.LONG_NUMBER}, math.floor(n / 256), n % 256)
end
local form = bit.band(flags, ${Layout.FINGERPRINT_MASK})
local section = ${Layout.HEAD_BYTES + 1}
if form == ${Layout.FINGERPRINT_HASH} then section = section + ${Layout.FINGERPRINT_BYTES}
elseif form == ${Layout.FINGERPRINT_TEXT} then section = section + 1 + (string.byte(bytes, section) or 0)
elseif form ~= 0 then return 0 end
if section - 1 > total then return 0 end
local count, first, last = 0, section, section
local known = {}
if bit.band(flags, ${Layout.TAGGED}) ~= 0 then
  count, first = number(section)
  if count < 1 then return 0 end
  last = first
  for _ = 1, count do
    local size, at = number(last)
    last = at + size
    if size < 0 or last - 1 > total then return 0 end
    known[string.sub(bytes, at, last - 1)] = true
  end
end
local added = {}
local before = count
for _, tag in ipairs(ARGV) do
  if not known[tag] then
    known[tag] = true
    count = count + 1
    added[#added + 1] = text(#tag) .. tag
  end
end
if count == before then return 1 end
if count > ${Layout.MAX_TAGS} then return 2 end
redis.call("SET", KEYS[1], string.sub(bytes, 1, ${Layout.FLAGS_OFFSET}) ..
  string.char(bit.bor(flags, ${Layout.TAGGED})) .. string.sub(bytes, ${Layout.FLAGS_OFFSET + 2}, section - 1) ..
  text(count) .. string.sub(bytes, first, last - 1) .. table.concat(added) .. string.sub(bytes, last), "KEEPTTL")
return 1`
)
