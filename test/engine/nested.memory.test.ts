/**
 * Random programs of nested loads, in memory.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { rounds } from "../support/rounds.ts"
import { nestedLoads } from "./nested.ts"

describe("loads that ask for each other end, and give nothing outdated, in memory", () => {
  nestedLoads("random programs", "test/engine/nested.memory.test.ts", rounds(75), () =>
    Effect.map(memoryClient(), (client) => ({ clients: [client], goOn: Effect.yieldNow }))
  )
})
