/**
 * The conformance kit on the memory that keeps nothing: locks, hints, and of the protocol and of sharing all that is not told by a
 * value that was kept.
 */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeNonePrimitives } from "../../src/stores/memory/none.ts"
import { Conformance, type ConformanceStore } from "../../src/testing/index.ts"

const noneStore: Effect.Effect<ConformanceStore, unknown> = Effect.map(makeNonePrimitives, (primitives) => ({
  connect: Effect.succeed(primitives),
  advance: (millis) => TestClock.adjust(millis)
}))

/** At their end they look for a value that is stored. */
const keeps = new Set([
  "rule: fence on fill, when another load holds the lease by then",
  "rule: key invalidation drops the lease",
  "rule: a set drops the lease",
  "rule: a refresh takes the lease over",
  "one load serves who comes meanwhile, and its value is kept",
  "rule: write-through takes the lease over",
  "rule: a write around the cache holds the leases of its keys, and leaves nothing",
  "rule: a refresh leaves the lease of a write",
  "interrupting one of many callers hurts nobody",
  "functions on one key share a value, but not each other's failures",
  "refresh loads and stores, also over a valid entry; peek never loads",
  "a refresh that fails keeps what there is, and gives the lease back",
  "a write that fails leaves the slot empty, and its failure",
  "a write that is interrupted leaves the slot empty",
  "a read during a write is not stored, and after it sees the written value",
  "memoize shares by arguments, and clear forgets them all"
])

for (const { group, name, run } of Conformance.cases(noneStore)) {
  if (["LockStore", "hints", "protocol", "sharing"].includes(group) && !keeps.has(name)) {
    const test = group === "LockStore" || group === "hints" ? it.effect : it.live
    test(`${group}: ${name}`, () => run)
  }
}
