/**
 * One load a key, in memory.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { oneLoad } from "./oneLoad.ts"

describe("one load a key in memory", () => {
  oneLoad(Effect.all([memoryClient()]), 1)
})
