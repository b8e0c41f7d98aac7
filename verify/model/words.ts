/** Moves and values in words. */
import { Option } from "effect"
import type { CacheEntry } from "../../src/CacheEntry.ts"
import type { Move } from "./moves.ts"
import { Row } from "./server.ts"
import type { World } from "./world.ts"

export const show = (world: World, value: unknown): string => {
  if (value === undefined) return "nothing"
  if (typeof value === "string") return world.tokenName(value) ?? value
  if (value instanceof Row) return `v${value.version}`
  if (Option.isOption(value)) return Option.isNone(value) ? "nothing" : show(world, value.value)
  if (Array.isArray(value)) return value.map((item) => show(world, item)).join(", ")
  if (typeof value !== "object" || value === null) return String(value)
  const { name, found } = value as { readonly name?: string; readonly found?: boolean }
  if (name !== undefined) return `${name} is ${found === true ? "there" : "not there"}`
  if (!("born" in value)) return show(world, Object.values(value))
  const { born, tags, value: row } = value as CacheEntry
  return `${show(world, row)} born ${born}${tags.length === 0 ? "" : ` with ${tags.join(", ")}`}`
}

/** What happens with a move; a call that starts tells of itself. */
export const describe = ({ actor, command, kind, name, process }: Move): string | undefined => {
  const who = process === undefined ? "" : `${process.name}: `
  const what = command?.work.label ?? ""
  switch (kind) {
    case "start":
      return undefined
    case "carry out":
      return `${who}${what}${name === undefined ? "" : ` ${name}`}`
    case "carry out, reply late":
      return `${who}${what}, and the reply is late`
    case "deliver":
      return `${who}the reply arrives: ${what}`
    case "drift":
      return `${who}what had timed out is carried out: ${what}`
    case "time out":
      return `${who}times out: ${what}`
    case "refuse":
      return `${who}has no room for this: ${what}`
    case "interrupt":
      return `${actor!.name} is interrupted`
    case "evict":
      return `${name} is evicted`
    case "expire":
      return `${name} of a dead process expires`
    default:
      return `${who}${kind}`
  }
}
