/**
 * The scripts of intents. What stands beside a key is a hash: a field for each writer, with `<end>:<what>`, the end in
 * microseconds of the server. It shares a slot with the lease of the key, and is all that its scripts touch. The index is a sorted
 * set of all of them by their ends, maybe on another server, whose clock it goes by.
 */
import { luaClock, script } from "./script.ts"

/** The longest token. */
const maxToken = 256

/** The longest member of the index: a key and a token, each character as six. */
export const maxPlace = 16 * 1024

/** No intent is put down for longer than a day, so one that says so was put down by nobody. */
export const maxTtlMillis = 86_400_000

/** In the index: until when others do not sweep. It is the place of no intent. */
const turn = "sweep"

/** What was put down outlives its end by so much, so that somebody carries it out. */
export const keptMillis = 3_600_000

/** What is there under the name may be anything. */
const luaOnly = `
local function only(name, kind)
  local found = redis.call("TYPE", name).ok
  if found ~= kind and found ~= "none" then redis.call("UNLINK", name) end
  return found == kind
end`

const luaTextOf = `${luaOnly}
local function textOf(name, token) return only(name, "hash") and redis.call("HGET", name, token) end`

const luaEnd = `
local function endIn(millis) return string.format("%.0f", clock() + millis * 1000) end`

/** Behind a write that needs no room Redis lets a script do the others. */
const luaKeep = `
local function keep(name, millis)
  redis.call("PEXPIRE", name, math.max(redis.call("PTTL", name), tonumber(millis)))
end`

/**
 * Puts an intent down in the hash of this name. Its arguments are names of Lua: token, ttl, what, how long the hash lives. What is there
 * and is no hash is looked at only when it stands in the way. `done` is the failure where there was one, and a number otherwise.
 */
export const luaPut = (name: string, token: string, ttl: string, what: string, life: string): string => `
${luaClock}
local text = string.format("%.0f", clock() + ${ttl} * 1000) .. ":" .. ${what}
local done = redis.pcall("HSET", ${name}, ${token}, text)
if type(done) == "table" then
  ${luaOnly}
  only(${name}, "hash")
  done = redis.pcall("HSET", ${name}, ${token}, text)
end
if type(done) ~= "table" and redis.call("PTTL", ${name}) < tonumber(${life}) then redis.call("PEXPIRE", ${name}, ${life}) end
`

/** KEYS: the hash. ARGV: token, ttl, what, how long the hash lives. */
export const put = script(
  1,
  `
${luaPut("KEYS[1]", "ARGV[1]", "ARGV[2]", "ARGV[3]", "ARGV[4]")}
-- What fails in this way says which command it was, and so does what is told of it.
if type(done) == "table" then redis.call("HSET", KEYS[1], ARGV[1], text) end
return 1`
)

/** KEYS: the hash. ARGV: token, ttl, how long the hash lives. */
export const renew = script(
  1,
  `
${luaClock}
${luaTextOf}
${luaKeep}
${luaEnd}
local text = textOf(KEYS[1], ARGV[1])
local from = text and string.find(text, ":", 1, true)
if not from then return 0 end
keep(KEYS[1], ARGV[3])
redis.call("HSET", KEYS[1], ARGV[1], endIn(ARGV[2]) .. string.sub(text, from))
return 1`
)

/** KEYS: the index. ARGV: how long the index lives, then places and their ttl. */
export const index = script(
  1,
  `
${luaClock}
local now = clock()
local ends = {}
for i = 2, #ARGV, 2 do
  ends[#ends + 1] = string.format("%.0f", now + ARGV[i + 1] * 1000)
  ends[#ends + 1] = ARGV[i]
end
local done = redis.pcall("ZADD", KEYS[1], unpack(ends))
if type(done) == "table" then
  ${luaOnly}
  ${luaKeep}
  only(KEYS[1], "zset")
  keep(KEYS[1], ARGV[1])
  redis.call("ZADD", KEYS[1], unpack(ends))
end
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return 1`
)

/**
 * KEYS: the hash. ARGV: the longest ttl in microseconds, the longest text, how many. What has ended, each as token, digest and
 * what. What no writer has put there goes at once, because it may have no name that can be told.
 */
export const ended = script(
  1,
  `
${luaClock}
${luaOnly}
if not only(KEYS[1], "hash") then return {} end
local now, longest, maxText, limit = clock(), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local found, cursor = {}, "0"
for _ = 1, 16 do
  local page = redis.call("HSCAN", KEYS[1], cursor, "COUNT", 64)
  cursor = page[1]
  for i = 1, #page[2], 2 do
    local token, text = page[2][i], page[2][i + 1]
    local digits = #text <= maxText and string.match(text, "^(%d+):")
    if not digits or #digits > 16 or #token > ${maxToken} or token == "" or string.find(token, "[^!-~]") then
      redis.call("HDEL", KEYS[1], token)
    else
      local to = tonumber(digits)
      if (to <= now or to > now + longest) and #found < limit then
        found[#found + 1] = { token, redis.sha1hex(text), string.sub(text, #digits + 2) }
      end
    end
  end
  if cursor == "0" or #found >= limit then break end
end
return found`
)

/** KEYS: the hash. ARGV: token, digest. */
export const settle = script(
  1,
  `
${luaTextOf}
local text = textOf(KEYS[1], ARGV[1])
if not text or redis.sha1hex(text) ~= ARGV[2] then return 0 end
return redis.call("HDEL", KEYS[1], ARGV[1])`
)

/** KEYS: the hash. ARGV: token. */
export const present = script(
  1,
  `
${luaTextOf}
return textOf(KEYS[1], ARGV[1]) and 1 or 0`
)

/**
 * KEYS: the index. ARGV: for how long it is this sweep's turn in microseconds, how many, how long the index lives. Returns the
 * microseconds until the next turn, the new score of what was found, and its places.
 */
export const sweep = script(
  1,
  `
${luaClock}
${luaOnly}
${luaKeep}
local every, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local function whole(n) return string.format("%.0f", n) end
if not only(KEYS[1], "zset") then return { ARGV[1], "0" } end
local now = clock()
-- One that is further ahead than any was put there by nobody.
local to = tonumber(redis.call("ZSCORE", KEYS[1], "${turn}") or 0)
if to > now and to <= now + every then return { whole(to - now), "0" } end
local ended = redis.call("ZRANGE", KEYS[1], "-inf", whole(now), "BYSCORE", "LIMIT", 0, limit + 1)
local held = whole(now + every)
local found = { ARGV[1], held }
if #ended > 0 then keep(KEYS[1], ARGV[3]) end
for i = 1, math.min(#ended, limit) do
  local place = ended[i]
  if #place > ${maxPlace} or string.find(place, "[^ -~]") then redis.call("ZREM", KEYS[1], place)
  elseif place ~= "${turn}" then
    -- It is this sweep's for as long as a turn: if that dies, it is found again.
    redis.call("ZADD", KEYS[1], held, place)
    found[#found + 1] = place
  end
end
if #ended > limit then found[1] = "0"
else redis.call("ZADD", KEYS[1], held, "${turn}") end
return found`
)

/** KEYS: the index. ARGV: scores and places. */
export const forget = script(
  1,
  `
${luaOnly}
if not only(KEYS[1], "zset") then return 0 end
for i = 1, #ARGV, 2 do
  local score = redis.call("ZSCORE", KEYS[1], ARGV[i + 1])
  if score and tonumber(score) == tonumber(ARGV[i]) then redis.call("ZREM", KEYS[1], ARGV[i + 1]) end
end
return 1`
)
