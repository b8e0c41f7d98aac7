/**
 * A count that is stored as text: the same on both sides.
 */
/** Lua: a count that was stored as text; nil for anything else. Never more than doubles tell apart. */
export const luaCount = `
local function count(text)
  if type(text) ~= "string" or #text > 16 or not string.match(text, "^%d+$") then return nil end
  local n = tonumber(text)
  if n >= 9007199254740991 then return nil end
  return n
end`

/** What a counter at its end is set to: digits that are no count any more. */
export const countsEnd = "9007199254740991"

/** Lua: whether a text is that, or digits for more. */
export const luaEnded = `
local function ended(text)
  return type(text) == "string" and string.match(text, "^%d+$") and not count(text)
end`

/** The same count on this side. */
export const parseCount = (text: unknown): number | undefined => {
  if (typeof text !== "string" || !/^\d{1,16}$/.test(text)) return undefined
  const count = Number(text)
  return count < Number.MAX_SAFE_INTEGER ? count : undefined
}
