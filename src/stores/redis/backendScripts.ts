/**
 * The scripts of `CacheBackend`. KEYS[1] is the lease and KEYS[2] the entry; they share a slot, and are one step: no read sees the
 * old entry under the new lease. While a slot moves they may be on two nodes: then a script does its part with the lease alone.
 */
import * as Layout from "../../entry/layout.ts"
import { andMore, maxListed } from "../../protocol/lease.ts"
import { luaPut } from "./intentScripts.ts"
import { type Script, script } from "./script.ts"

/** What a script with the lease of a load needs, and no more: each function of a script is made anew with each call. */
const luaSaid = `
-- A user who may not publish must still be able to fill: the hint is a courtesy, so its failure is swallowed.
local function hint(channel, token) redis.pcall("PUBLISH", channel, token) end
local function said(lease)
  local text = redis.pcall("GET", lease)
  return type(text) == "string" and text
end`

/**
 * The text of a lease, as `protocol/lease.ts` has it. `writes` tells how often it has changed, whether there are writes that are
 * not listed, and the tokens of those that are; nothing for a load's.
 */
const luaWrites = `
local function isWrite(text) return string.sub(text, 1, 2) == "w:" end
local function writes(text)
  if not text then return end
  if isWrite(text) then return 0, "", text end
  local changes, more, list = string.match(text, "^v:(%d+)(%+?):(.*)$")
  -- A number that is no number any more does not grow: that is nobody's text.
  if changes and #changes < 16 then return changes, more, list end
end
local function find(list, token) return string.find("," .. list .. ",", "," .. token .. ",", 1, true) end
local function voided(changes, more, list)
  return "v:" .. string.format("%.0f", changes + 1) .. more .. ":" .. list
end
-- It begins with a write that needs no room: behind it Redis lets a script do the others. Where there is none for a new text all the
-- same, the lease goes, and so does one without an end, which nobody has taken and nobody would ever give back.
local function put(lease, changes, more, list)
  local left = redis.call("PTTL", lease)
  if left < 0 then return redis.call("UNLINK", lease) end
  redis.call("PEXPIRE", lease, math.max(left, 1))
  local done = redis.pcall("SET", lease, voided(changes, more, list), "KEEPTTL")
  if type(done) == "table" and done.err then redis.call("UNLINK", lease) end
end
local function drop(lease)
  local changes, more, list = writes(said(lease))
  if changes then put(lease, changes, more, list) else redis.call("UNLINK", lease) end
end
local function leave(lease, token, channel)
  local text = said(lease)
  local changes, more, list = writes(text)
  if not changes then return redis.call("UNLINK", lease) end
  local from, to = find(list, token)
  -- Where there are more than are listed, those stay: with none of them left the text could be that of a later lease.
  if from and more == "" then
    list = "," .. list .. ","
    list = string.sub(string.sub(list, 1, from) .. string.sub(list, to + 1), 2, -2)
    if list == "" then
      redis.call("UNLINK", lease)
      return hint(channel, text)
    end
  end
  put(lease, changes, more, list)
end`

const luaLease = luaSaid + luaWrites

/** The same without the entry. */
export const withLeaseAlone = (both: Script): Script => ({ ...both, keys: 1 })

/**
 * ARGV: token, ttl, what takes over. Returns the token, or what the lease of writes that is in its place says then. A resent command
 * finds its own token. A text whose second character is no colon is of no write.
 */
const luaTakeOver = `
local token, ttl, as = ARGV[1], ARGV[2], ARGV[3]
local text = redis.pcall("GET", KEYS[1])
if type(text) ~= "string" or text == token or string.sub(text, 2, 2) ~= ":" then
  redis.call("SET", KEYS[1], token, "PX", ttl)
else
  ${luaLease}
  local changes, more, list = writes(text)
  if not changes then
    redis.call("SET", KEYS[1], token, "PX", ttl)
  elseif as == "refresh" then return text
  elseif as == "set" then
    put(KEYS[1], changes, more, list)
    if KEYS[2] then redis.call("UNLINK", KEYS[2]) end
    return voided(changes, more, list)
  elseif not find(list, token) then
    local _, commas = string.gsub(list, ",", ",")
    if commas + 1 >= ${maxListed} then more = "${andMore}" end
    if more == "" then list = list .. "," .. token end
    local longest = string.format("%.0f", math.max(tonumber(ttl), redis.call("PTTL", KEYS[1])))
    redis.call("PEXPIRE", KEYS[1], longest)
    redis.call("SET", KEYS[1], voided(changes, more, list), "PX", longest)
  end
end
`

export const takeOver = script(
  2,
  `
${luaTakeOver}
if as == "write" and KEYS[2] then redis.call("UNLINK", KEYS[2]) end
return token`
)

/**
 * Of bytes: the flags of the entry that they are, and in them where the section of its tags is, how many there are, and where the first
 * begins and the last ends. Nothing where they are none. Positions count from 1. A number is read from where it starts, and comes with
 * where it ends.
 */
const luaSection = `
local function number(bytes, at)
  local first, high, low = string.byte(bytes, at, at + 2)
  if first == nil then return -1, at end
  if first < ${Layout.LONG_NUMBER} then return first, at + 1 end
  if low == nil or high == 0 and low < ${Layout.LONG_NUMBER} then return -1, at end
  return high * 256 + low, at + 3
end
local function section(bytes, known)
  local total = #bytes
  if total < ${Layout.HEAD_BYTES} then return end
  if string.byte(bytes, ${Layout.MAGIC_OFFSET + 1}) ~= ${Layout.MAGIC} then return end
  local flags = string.byte(bytes, ${Layout.FLAGS_OFFSET + 1})
  if bit.band(flags, ${Layout.VERSION_MASK}) ~= ${Layout.VERSION} then return end
  local form = bit.band(flags, ${Layout.FINGERPRINT_MASK})
  local start = ${Layout.HEAD_BYTES + 1}
  if form == ${Layout.FINGERPRINT_HASH} then start = start + ${Layout.FINGERPRINT_BYTES}
  elseif form == ${Layout.FINGERPRINT_TEXT} then start = start + 1 + (string.byte(bytes, start) or 0)
  elseif form ~= 0 then return end
  if start - 1 > total then return end
  if bit.band(flags, ${Layout.TAGGED}) == 0 then return flags, start, 0, start, start end
  local count, first = number(bytes, start)
  if count < 1 then return end
  local last = first
  for _ = 1, count do
    local size, at = number(bytes, last)
    last = at + size
    if size < 0 or last - 1 > total then return end
    if known then known[string.sub(bytes, at, last - 1)] = true end
  end
  return flags, start, count, first, last
end`

/**
 * Unlinks the entry, and has in `bytes` as much of it as the fourth argument asks for, or nothing where it was none. A header is cut
 * behind what says how the rest is compressed.
 */
const luaGive = `
local bytes = redis.pcall("GET", KEYS[2])
redis.call("UNLINK", KEYS[2])
if type(bytes) ~= "string" then bytes = nil
elseif ARGV[4] == "header" then
  ${luaSection}
  local _, _, _, _, last = section(bytes)
  bytes = last and string.sub(bytes, 1, last - 1 + ${Layout.COMPRESSION_BYTES})
end`

/** The same of a write, with a fourth argument: how much of the entry it gives back. Returns the token, and that. */
export const takeOverGiving = script(
  2,
  `
${luaTakeOver}
${luaGive}
return {token, bytes}`
)

/**
 * The same, with KEYS[3], the intents of the key, and behind the fourth argument, which may be empty: the ttl of the intent, what it
 * says, how long the hash lives. Returns whether the intent is there, and what the fourth asks for.
 */
export const takeOverIntending = script(
  3,
  `
${luaTakeOver}
${luaPut("KEYS[3]", "token", "ARGV[5]", "ARGV[6]", "ARGV[7]")}
done = type(done) == "table" and 0 or 1
if ARGV[4] == "" then
  redis.call("UNLINK", KEYS[2])
  return done
end
${luaGive}
return {done, bytes}`
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

/** KEYS: the lease. ARGV: token, ttl. Of several writes the longest counts. */
export const renew = script(
  1,
  `
${luaSaid}
local text = said(KEYS[1])
if text == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
${luaWrites}
local changes, more, list = writes(text)
if not changes or not isWrite(ARGV[1]) or (more == "" and not find(list, ARGV[1])) then return 0 end
redis.call("PEXPIRE", KEYS[1], ARGV[2], "GT")
return 1`
)

/** What a fill replies that was asked for intents, and there are some. */
export const filledBesideIntents = 2

/**
 * ARGV: token, entry, ttl (0 for none), what to do when lost, channel. Fence on fill: the entry is written only while the lease
 * says this token and nothing else. An absent lease rejects: it is false, which equals no token.
 */
export const fill = script(
  2,
  `
${luaSaid}
if said(KEYS[1]) == ARGV[1] then
  if ARGV[3] == "0" then redis.call("SET", KEYS[2], ARGV[2])
  else redis.call("SET", KEYS[2], ARGV[2], "PX", ARGV[3]) end
  redis.call("UNLINK", KEYS[1])
  hint(ARGV[5], ARGV[1])
  return KEYS[3] and redis.pcall("EXISTS", KEYS[3]) == 1 and ${filledBesideIntents} or 1
end
if ARGV[4] == "keep" then return 0 end
${luaWrites}
redis.call("UNLINK", KEYS[2])
if ARGV[4] == "unlink" then leave(KEYS[1], ARGV[1], ARGV[5]) end
return 0`
)

/** KEYS[3]: the intents of the key; who may not ask is told nothing. In a script of its own the question costs little; a command more would be a tenth of a miss. */
export const fillAsking: Script = { ...fill, keys: 3 }

/** ARGV: token, what to do when lost, channel. */
export const release = script(
  2,
  `
${luaSaid}
local text = said(KEYS[1])
if text == ARGV[1] then
  redis.call("UNLINK", KEYS[1])
  hint(ARGV[3], text)
  return 1
end
${luaWrites}
if ARGV[2] == "unlink" then
  leave(KEYS[1], ARGV[1], ARGV[3])
  if KEYS[2] then redis.call("UNLINK", KEYS[2]) end
else
  local changes, _, list = writes(text)
  if changes and find(list, ARGV[1]) then leave(KEYS[1], ARGV[1], ARGV[3]) end
end
return 0`
)

/** Key invalidation drops a load's lease, and makes that of writes void. Returns how many entries there were. */
export const remove = script(
  2,
  `
${luaSaid}
local text = said(KEYS[1])
if text and string.sub(text, 2, 2) == ":" then
${luaWrites}
  drop(KEYS[1])
else redis.call("UNLINK", KEYS[1]) end
return KEYS[2] and redis.call("UNLINK", KEYS[2]) or 0`
)

/**
 * KEYS: the entry. ARGV: tags as stored. Splices them into the tag section, or makes one; everything else stays, also the
 * time to live. Returns 0 when there is no entry, 1 when it bears the tags now, 2 when they are too many.
 */
export const addTags = script(
  1,
  `
${luaSection}
if redis.call("TYPE", KEYS[1]).ok ~= "string" then return 0 end
local bytes = redis.call("GET", KEYS[1])
local known = {}
local flags, start, count, first, last = section(bytes, known)
if not flags then return 0 end
local function text(n)
  if n < ${Layout.LONG_NUMBER} then return string.char(n) end
  return string.char(${Layout.LONG_NUMBER}, math.floor(n / 256), n % 256)
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
  string.char(bit.bor(flags, ${Layout.TAGGED})) .. string.sub(bytes, ${Layout.FLAGS_OFFSET + 2}, start - 1) ..
  text(count) .. string.sub(bytes, first, last - 1) .. table.concat(added) .. string.sub(bytes, last), "KEEPTTL")
return 1`
)
