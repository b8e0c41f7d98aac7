/**
 * Rings of loads and writes in memory.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { circles } from "./circles.ts"

describe("what needs each other ends, in memory", () => {
  circles(Effect.all([memoryClient(), memoryClient()]))
})
