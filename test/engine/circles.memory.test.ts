/**
 * Rings of loads and writes in memory, and reads beside several writes.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { besideWrites } from "./besideWrites.ts"
import { circles } from "./circles.ts"

const two = Effect.all([memoryClient(), memoryClient()])

describe("what needs each other ends, in memory", () => {
  circles(two)
})

describe("a read beside several writes, in memory", () => {
  besideWrites(two)
})
