/**
 * What the nodes of a cluster say of its slots. A reply that cannot be read is `undefined`.
 */
import type { Address } from "../options/url.ts"

export const slotCount = 16_384

export const addressKey = ({ host, port }: Address): string => `${host}:${port}`

interface SlotMap {
  /** The primary of each slot. */
  readonly owners: ReadonlyArray<Address | undefined>
  /** All nodes, replicas too. */
  readonly addresses: ReadonlyArray<Address>
}

const addressOf = (node: unknown, asked: string): Address | undefined => {
  if (!Array.isArray(node)) return undefined
  const [name, port] = node as ReadonlyArray<unknown>
  // A node that does not know its own name is where we asked.
  const host = name === "" || name === null || name === "?" ? asked : name
  const number = Number(port)
  if (typeof host !== "string" || host === "") return undefined
  return Number.isInteger(number) && number > 0 && number < 65_536 ? { host, port: number } : undefined
}

/** The reply of `CLUSTER SLOTS`: for each range its first and last slot, the primary, the replicas. */
export const parseSlots = (reply: unknown, asked: string): SlotMap | undefined => {
  if (!Array.isArray(reply) || reply.length === 0) return undefined
  const owners = new Array<Address | undefined>(slotCount).fill(undefined)
  const addresses: Array<Address> = []
  let claimed = 0
  for (const range of reply as ReadonlyArray<unknown>) {
    if (!Array.isArray(range)) return undefined
    const [first, last, ...nodes] = range as ReadonlyArray<unknown>
    const from = Number(first)
    const to = Number(last)
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to < from || to >= slotCount) return undefined
    // Ranges that overlap would be work without end.
    claimed += to - from + 1
    if (claimed > slotCount) return undefined
    const known = nodes.map((node) => addressOf(node, asked))
    for (const address of known) if (address !== undefined) addresses.push(address)
    if (known[0] !== undefined) owners.fill(known[0], from, to + 1)
  }
  return addresses.length === 0 ? undefined : { owners, addresses }
}

/** What a primary says of itself. */
export interface Claim {
  /** Its name and its slots, as text. */
  readonly owner: string
  /** How many slots it has. */
  readonly slots: number
  /** One of them is on its way, from it or to it. */
  readonly moving: boolean
  /** The names of the nodes that some of them are on their way to. These may have keys, though no slot yet. */
  readonly importers: ReadonlyArray<string>
}

/** The line `myself` of `CLUSTER NODES`: id, address, flags, primary, four numbers, link, slots. */
export const parseClaim = (reply: unknown): Claim | undefined => {
  const line = String(reply)
    .split("\n")
    .find((line) => /^\S+ \S+ (\S+,)?myself(,|\s)/.test(line))
  if (line === undefined) return undefined
  const [id, , flags, , , , , , ...tokens] = line.trim().split(" ")
  if (!flags!.split(",").includes("master")) return undefined
  const ranges = tokens.filter((token) => /^\d+(-\d+)?$/.test(token))
  return {
    owner: `${id} ${ranges.join(" ")}`,
    slots: ranges.reduce((sum, range) => {
      const [from, to = from] = range.split("-").map(Number)
      return sum + to! - from! + 1
    }, 0),
    moving: tokens.some((token) => token.startsWith("[")),
    importers: [...new Set(tokens.flatMap((token) => /^\[\d+->-(\S+)\]$/.exec(token)?.[1] ?? []))]
  }
}

/** The addresses of all nodes by name, also of those without slots, in the reply of `CLUSTER SHARDS`. */
export const parseShards = (reply: unknown, asked: string, tls: boolean): ReadonlyMap<string, Address> => {
  const found = new Map<string, Address>()
  for (const shard of asArray(reply)) {
    for (const node of asArray(fieldsOf(shard).get("nodes"))) {
      const fields = fieldsOf(node)
      const address = addressOf(
        [fields.get("endpoint"), (tls ? fields.get("tls-port") : undefined) ?? fields.get("port")],
        asked
      )
      if (address !== undefined) found.set(String(fields.get("id")), address)
    }
  }
  return found
}

const asArray = (reply: unknown): ReadonlyArray<unknown> => (Array.isArray(reply) ? reply : [])

/** Names and values in turn. */
const fieldsOf = (reply: unknown): ReadonlyMap<unknown, unknown> => {
  const fields = new Map<unknown, unknown>()
  const parts = asArray(reply)
  for (let i = 0; i + 1 < parts.length; i += 2) fields.set(parts[i], parts[i + 1])
  return fields
}
