/**
 * Reads beside several writes, in memory.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { besideWrites } from "./besideWrites.ts"

describe("a read beside several writes, in memory", () => {
  besideWrites(Effect.all([memoryClient(), memoryClient()]))
})
