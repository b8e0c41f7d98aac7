/**
 * Level 4, memoize: keep what a function returned for its arguments.
 *
 * For pure functions, short-lived. By `name` the key is made of all arguments; by `key` it is made of those you name.
 * With a schema the values are stored in the cache, and shared; without one they never leave the process.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Schema } from "effect"
import { memoize } from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

class Analytics extends Schema.Class<Analytics>("Analytics")({ visits: Schema.Int, at: Schema.Date }) {}

const runs = { analytics: 0, report: 0, parse: 0 }

// The key is the name and the canonical form of the arguments.
const computeAnalytics = memoize({ name: "computeAnalytics", schema: Analytics, ttl: "1 minute" })(
  (query: { readonly from: Date; readonly pages: ReadonlyArray<string> }) =>
    Effect.sync(() => {
      runs.analytics++
      return new Analytics({ visits: query.pages.length * 100, at: query.from })
    })
)

// With a key template of your own.
const getReport = memoize({ key: "report:{period}:{region}", schema: Schema.String, ttl: "5 minutes" })(
  ({ period, region }: { readonly period: string; readonly region: string }) =>
    Effect.sync(() => {
      runs.report++
      return `report of ${period} for ${region}`
    })
)

// Without a schema: any value, kept in this process.
const parse = memoize({ name: "parse", ttl: "1 minute" })((pattern: string) =>
  Effect.sync(() => {
    runs.parse++
    return new RegExp(pattern)
  })
)

const program = Effect.gen(function*() {
  const from = new Date(0)
  yield* computeAnalytics({ from, pages: ["/", "/about"] })
  // The order of properties does not matter; the type of a value does.
  const analytics = yield* computeAnalytics({ pages: ["/", "/about"], from: new Date(0) })
  yield* Console.log(
    `analytics:  ${analytics.visits} visits since ${analytics.at.toISOString()}, ${runs.analytics} run`
  )
  assert.equal(runs.analytics, 1)

  const report = { period: "2025", region: "north" }
  yield* getReport(report)
  yield* Console.log(`report:     ${yield* getReport(report)}, ${runs.report} run, under ${getReport.key(report)}`)
  assert.equal(runs.report, 1)

  assert.equal(yield* parse("^a+$"), yield* parse("^a+$")) // the same object
  yield* Console.log(`parse:      ${runs.parse} run`)

  // Every value of this function, and of no other.
  yield* getReport.clear
  yield* getReport(report)
  yield* computeAnalytics({ from, pages: ["/", "/about"] })
  yield* Console.log(`cleared:    report ${runs.report} runs, analytics ${runs.analytics} run`)
  assert.deepEqual(runs, { analytics: 1, report: 2, parse: 1 })
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
