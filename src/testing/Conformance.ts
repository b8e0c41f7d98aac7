/**
 * The conformance kit: whether a backend keeps the contract, and the promise of the cache with it.
 *
 * It tries the primitives one by one, and then clients on top of them: interleavings of two processes, each of which
 * goes wrong without one rule of the protocol, and random histories. It knows no test runner: a case is an effect, and
 * one that fails tells the story of what was done. `docs/testing.md` shows how to write a backend and to run the kit.
 */
import { Effect, Result, type Scope } from "effect"
import { backendCases } from "./conformance/backend.ts"
import { type ConformanceCase, type ConformanceFailure, type ConformanceStore, toCase } from "./conformance/case.ts"
import { fastPathCases } from "./conformance/fastPath.ts"
import { hintCases } from "./conformance/hints.ts"
import { historyCases } from "./conformance/histories.ts"
import { intentCases } from "./conformance/intents.ts"
import { localCases } from "./conformance/local.ts"
import { lockCases } from "./conformance/locks.ts"
import { protocolCases } from "./conformance/protocol.ts"
import { removalCases } from "./conformance/removal.ts"
import { sharingCases } from "./conformance/sharing.ts"
import { tagCases } from "./conformance/tags.ts"
import { writeRuleCases } from "./conformance/writeRules.ts"
import { writeCases } from "./conformance/writes.ts"

/** What `Conformance.check` found. */
export interface ConformanceReport {
  readonly passed: ReadonlyArray<ConformanceCase>
  readonly failed: ReadonlyArray<ConformanceFailure>
}

const scripts = [
  ...backendCases,
  ...writeCases,
  ...removalCases,
  ...fastPathCases,
  ...localCases,
  ...hintCases,
  ...intentCases,
  ...tagCases,
  ...lockCases,
  ...protocolCases,
  ...writeRuleCases,
  ...sharingCases,
  ...historyCases
]

/**
 * The cases, for a store that `open` makes: a new and empty one each time it is run, closed with its scope. What a
 * backend does not do is left out by filtering: a store that nothing can be evicted from has no `"evictions"`, one that
 * does not say when a lease ends no `"hints"`. What it need not have at all (`"fastPath"`, `"intents"`) passes without a look.
 *
 * @example
 * ```ts no-run
 * import { it } from "@effect/vitest"
 * import type { Effect, Scope } from "effect"
 * import { Conformance, type ConformanceStore } from "effect-cache/testing"
 *
 * declare const open: Effect.Effect<ConformanceStore, never, Scope.Scope>
 *
 * for (const { group, name, run } of Conformance.cases(open)) it.live(`${group}: ${name}`, () => run, 30_000)
 * ```
 */
const cases = (open: Effect.Effect<ConformanceStore, unknown, Scope.Scope>): ReadonlyArray<ConformanceCase> =>
  scripts.map((script) => toCase(open, script))

/** Runs cases one after the other. It does not fail: what failed is in the report. */
const check = (cases: ReadonlyArray<ConformanceCase>): Effect.Effect<ConformanceReport> =>
  Effect.map(
    Effect.forEach(cases, (one) => Effect.result(Effect.as(one.run, one))),
    (results) => ({
      passed: results.filter(Result.isSuccess).map(({ success }) => success),
      failed: results.filter(Result.isFailure).map(({ failure }) => failure)
    })
  )

/** A report to print: the stories of what failed, and how many there were of each. */
const render = ({ failed, passed }: ConformanceReport): string =>
  [...failed.map(({ message }) => `FAILED  ${message}\n`), `${passed.length} passed, ${failed.length} failed`].join(
    "\n"
  )

/** The conformance kit: tests for a backend, as effects with names, for any test runner. */
export const Conformance = { cases, check, render } as const
