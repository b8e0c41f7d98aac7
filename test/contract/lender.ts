/**
 * A rule beside the protocol: no answer comes from what its lender has closed.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, type Scope } from "effect"
import { cacheAside } from "effect-cache"
import type { Client } from "../support/client.ts"
import { makeQuery } from "../support/connections.ts"
import { caller, type Id, one, settings, type World } from "../support/lenders.ts"

/** The rule alone: for its ablation. */
export const lenderRule = (open: Effect.Effect<Client, unknown, Scope.Scope>, layer: string): void => {
  it.live(`rule: a load begins again when the scope of its lender closes (${layer})`, () =>
    Effect.scoped(
      Effect.gen(function*() {
        const world: World = { client: yield* open, close: Effect.void }
        const { begun, open: go, query } = makeQuery({ quiet: true })
        const get = cacheAside(settings)((_: Id) => query)
        const first = yield* caller(world, "a", get(one))
        yield* begun(1)
        const second = yield* caller(world, "b", get(one))
        yield* Fiber.interrupt(first)
        // Whichever run goes on.
        yield* go(1)
        yield* go(2)
        assert.strictEqual(yield* Fiber.join(second), "b")
        assert.deepStrictEqual(yield* world.client.run(get.peek(one)), Option.some("b"))
      })
    )
  )
}
