/**
 * Who comes when a load has ended, but has not landed: its lease is on the way back.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { cacheAside, CacheLayer } from "effect-cache"
import { openMapStore } from "../../examples/custom-backend/mapBackend.ts"
import { buildClient } from "../support/client.ts"
import { makeQuery } from "../support/connections.ts"
import { caller, type Id, one, settings, staying } from "../support/lenders.ts"

it.live("what came out of a scope that had closed is not for who comes then", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { backend, locks, tags } = yield* (yield* openMapStore).connect
      const [landing, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const release: typeof backend.release = (...args) =>
        Effect.andThen(
          Effect.andThen(Deferred.succeed(landing, undefined), Deferred.await(gate)),
          backend.release(...args)
        )
      const client = yield* buildClient(
        CacheLayer.make(Effect.succeed({ locks, tags, backend: { ...backend, release } }))
      )
      const world = { client, close: Effect.void }
      const { begun, open: go, query } = makeQuery()
      const get = cacheAside(settings)((_: Id) => query)
      const a = yield* staying(world, "a", get(one))
      yield* begun(1)
      // Its connection fails what is under way. Nobody else waits.
      yield* a.close
      yield* Deferred.await(landing)
      const b = yield* caller(world, "b", get(one))
      yield* Deferred.succeed(gate, undefined)
      assert.include(String(yield* Fiber.await(a.fiber)), "closed")
      yield* Effect.raceFirst(begun(2), Fiber.await(b))
      yield* go(2)
      assert.strictEqual(yield* Fiber.join(b), "b")
    })
  )
)
