/**
 * Level 3, stampede protection: a hot key with an expensive load, and one load at a time, among all processes that
 * share the store.
 *
 * The first caller takes a lease and loads; the others wait for what it stores. `lockTtl` is how long the lease
 * outlives a process that died while loading; it is renewed while the load runs, so loads may take longer.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Schema } from "effect"
import { getCacheStats, stampedeProtect } from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

class Stats extends Schema.Class<Stats>("Stats")({ orders: Schema.Int, revenue: Schema.Finite }) {}

let computations = 0
const computeStats = Effect.sync(() => {
  computations++
  return new Stats({ orders: 1_234, revenue: 56_789.5 })
}).pipe(Effect.delay("50 millis"))

// A key without placeholders wraps a single effect.
const dashboard = stampedeProtect({
  key: "dashboard:stats",
  schema: Stats,
  ttl: "5 minutes",
  lockTtl: "1 minute",
  waitTimeout: "10 seconds"
})(computeStats)

const program = Effect.gen(function*() {
  const answers = yield* Effect.all(
    Array.from({ length: 100 }, () => dashboard),
    { concurrency: "unbounded" }
  )
  yield* Console.log(`100 callers of a cold key: ${computations} computation`)
  assert.equal(computations, 1)
  assert.ok(answers.every(({ orders }) => orders === 1_234))

  // Interrupting one caller hurts nobody else: the load belongs to none of them.
  yield* dashboard.invalidate
  const [impatient, patient] = yield* Effect.all([dashboard.pipe(Effect.timeoutOption("10 millis")), dashboard], {
    concurrency: "unbounded"
  })
  yield* Console.log(`one caller gave up (${impatient._tag}), the other got ${patient.orders} orders`)
  assert.equal(computations, 2)

  const { loads } = yield* getCacheStats
  yield* Console.log(`loads counted by the cache: ${loads}`)
  assert.equal(loads, 2)
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
