/**
 * Whose context a load runs in, in memory, and in what stands in for a store that is away.
 */
import { describe } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { CacheFallback, CacheMemory, type CacheServices } from "../../src/index.ts"
import { CacheTest } from "../../src/testing/index.ts"
import { buildClient } from "../support/client.ts"
import type { World } from "../support/lenders.ts"
import { lenders } from "./lender.ts"

const worldOf = <E>(layer: Layer.Layer<CacheServices, E>): Effect.Effect<World, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.fork(yield* Scope.Scope)
    return { client: yield* Scope.provide(buildClient(layer), scope), close: Scope.close(scope, Exit.void) }
  })

describe("lenders in memory", () => {
  lenders(worldOf(CacheMemory.layer()))
})

describe("lenders in memory, by copies", () => {
  lenders(worldOf(CacheMemory.layer({ isolation: "clone" })))
})

describe("lenders while the store is away", () => {
  lenders(
    Effect.gen(function*() {
      const primary = yield* Layer.build(CacheTest.layer)
      yield* Effect.provideContext(
        CacheTest.use((test) => test.inject("*", { fail: true })),
        primary
      )
      const world = yield* worldOf(
        CacheFallback.layer({ primary: Layer.succeedContext(primary), fallback: CacheMemory.layer() })
      )
      return { ...world, isAway: true }
    }),
    true
  )
})
