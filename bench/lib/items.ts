/**
 * What is cached in every workload: an item of about so many bytes of JSON.
 */
import { Schema } from "effect"

export const Item = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  numbers: Schema.Array(Schema.Number),
  text: Schema.String
})

export type Item = typeof Item.Type

const frame = JSON.stringify({ id: "1234", name: "item 1234", numbers: [1, 2, 3, 4, 5], text: "" }).length

export interface Loader {
  /** How often it was called. */
  loads: number
  /** Milliseconds that a load takes; none unless set. */
  readonly delay: number
  readonly load: (id: string) => Item
  readonly loadAsync: (id: string) => Promise<Item>
}

/** Makes items whose JSON is about as long as `bytes` says, and counts how many it made. */
export const loader = (bytes: number | ((id: string) => number), delay = 0): Loader => {
  const longest = "x".repeat(typeof bytes === "number" ? Math.max(0, bytes - frame) : 4_096)
  const text =
    typeof bytes === "number" ? () => longest : (id: string) => longest.slice(0, Math.max(0, bytes(id) - frame))
  const make = (id: string): Item => ({ id, name: `item ${id}`, numbers: [1, 2, 3, 4, 5], text: text(id) })
  const self = {
    loads: 0,
    delay,
    load: (id: string): Item => {
      self.loads++
      return make(id)
    },
    loadAsync: async (id: string): Promise<Item> => {
      self.loads++
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
      return make(id)
    }
  }
  return self
}

export const idsOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => String(i))
