/**
 * A backend of your own. The conformance kit says whether it keeps the contract, and tells the story of what goes wrong
 * where it does not; `CacheLayer.make` makes a layer of it. The backend is in `custom-backend/mapBackend.ts`.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Schema } from "effect"
import { cacheAside, CacheLayer, invalidateKey } from "effect-cache"
import { Conformance } from "effect-cache/testing"
import { openMapStore } from "./custom-backend/mapBackend.ts"
import { openUnfencedStore } from "./custom-backend/unfenced.ts"

const program = Effect.gen(function*() {
  const report = yield* Conformance.check(Conformance.cases(openMapStore))
  yield* Console.log(`A backend on Maps: ${Conformance.render(report)}`)
  assert.equal(report.failed.length, 0)

  // The same with a mistake: its fill does not ask who holds the lease.
  const rules = Conformance.cases(openUnfencedStore).filter(({ group }) => group === "protocol")
  const { failed } = yield* Conformance.check(rules)
  yield* Console.log(`Without the fence, ${failed.length} rules of ${rules.length} are broken. The first:\n`)
  yield* Console.log(failed[0]?.message)
  assert.equal(failed[0]?.name, "rule: fence on fill")

  // Two processes on one store: what one acknowledged, the other sees.
  const { connect } = yield* openMapStore
  let row = 1
  const get = cacheAside({ key: "row:{id}", schema: Schema.Number, ttl: "1 minute" })((_: { readonly id: number }) =>
    Effect.sync(() => row)
  )
  const here = Effect.provide(get({ id: 7 }), CacheLayer.make(connect), { local: true })
  assert.equal(yield* here, 1)
  row = 2
  assert.equal(yield* here, 1)
  yield* Effect.provide(invalidateKey(get.key({ id: 7 })), CacheLayer.make(connect), { local: true })
  assert.equal(yield* here, 2)
  yield* Console.log("\nAs a layer: a hit, an invalidation by another process, a load")
})

NodeRuntime.runMain(program)
