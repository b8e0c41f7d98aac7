import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memoryClient } from "../support/client.ts"
import { creates } from "./creates.ts"

describe("creates in memory", () => {
  creates(Effect.map(memoryClient(100_000), (client) => [client, client] as const))
})
