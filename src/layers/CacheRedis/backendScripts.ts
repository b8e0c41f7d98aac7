/**
 * The scripts of `CacheBackend`. Where there are two keys, KEYS[1] is the entry and KEYS[2] the lease; they share a slot.
 */
import * as Layout from "../../internal/entryLayout.ts"
import { script } from "./scripts.ts"

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

/** KEYS: the lease. ARGV: token, ttl. */
export const renew = script(
  1,
  `
if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("PEXPIRE", KEYS[1], ARGV[2])`
)

/**
 * ARGV: token, entry, ttl (0 for none), "1" to unlink when lost, channel. Fence on fill: the entry is written only while the token
 * holds the lease. An absent lease rejects: GET gives false, which equals no token. The losing writer unlinks.
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
if ARGV[4] == "1" then redis.call("UNLINK", KEYS[1], KEYS[2]) end
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
 * KEYS: the entry. ARGV: tags as stored. Splices them into the tag section; everything else stays, also the time to live.
 * Returns 0 when there is no entry, 1 when it bears the tags now, 2 when they are too many.
 */
export const addTags = script(
  1,
  `
if redis.call("TYPE", KEYS[1]).ok ~= "string" then return 0 end
local bytes = redis.call("GET", KEYS[1])
local total = #bytes
if total < ${Layout.MIN_ENTRY_BYTES} then return 0 end
if string.byte(bytes, ${Layout.MAGIC_OFFSET + 1}) ~= ${Layout.MAGIC} then return 0 end
if string.byte(bytes, ${Layout.VERSION_OFFSET + 1}) ~= ${Layout.VERSION} then return 0 end
local function number(at, size)
  local n = 0
  for i = at, at + size - 1 do n = n * 256 + string.byte(bytes, i) end
  return n
end
local function text(n, size)
  local out = ""
  for i = 1, size do
    out = string.char(n % 256) .. out
    n = math.floor(n / 256)
  end
  return out
end
-- Positions count from 1.
local section = ${Layout.FINGERPRINT_OFFSET + 1} + string.byte(bytes, ${Layout.FINGERPRINT_LENGTH_OFFSET + 1})
local first = section + ${Layout.TAG_SECTION_LENGTH_SIZE + Layout.TAG_COUNT_SIZE}
if first - 1 + ${Layout.PAYLOAD_LENGTH_SIZE} > total then return 0 end
local length = number(section, ${Layout.TAG_SECTION_LENGTH_SIZE})
local last = section + ${Layout.TAG_SECTION_LENGTH_SIZE} + length
if last < first or last - 1 + ${Layout.PAYLOAD_LENGTH_SIZE} > total then return 0 end
local count = number(section + ${Layout.TAG_SECTION_LENGTH_SIZE}, ${Layout.TAG_COUNT_SIZE})
local known = {}
local at = first
for _ = 1, count do
  if at + ${Layout.TAG_LENGTH_SIZE} > last then return 0 end
  local size = number(at, ${Layout.TAG_LENGTH_SIZE})
  at = at + ${Layout.TAG_LENGTH_SIZE}
  if at + size > last then return 0 end
  known[string.sub(bytes, at, at + size - 1)] = true
  at = at + size
end
if at ~= last then return 0 end
local added = {}
local extra = 0
for _, tag in ipairs(ARGV) do
  if not known[tag] then
    known[tag] = true
    count = count + 1
    extra = extra + ${Layout.TAG_LENGTH_SIZE} + #tag
    added[#added + 1] = text(#tag, ${Layout.TAG_LENGTH_SIZE}) .. tag
  end
end
if extra == 0 then return 1 end
if count > ${Layout.MAX_TAGS} then return 2 end
redis.call("SET", KEYS[1], string.sub(bytes, 1, section - 1) ..
  text(length + extra, ${Layout.TAG_SECTION_LENGTH_SIZE}) .. text(count, ${Layout.TAG_COUNT_SIZE}) ..
  string.sub(bytes, first, last - 1) .. table.concat(added) .. string.sub(bytes, last), "KEEPTTL")
return 1`
)
