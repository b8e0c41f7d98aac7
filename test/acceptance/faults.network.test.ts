/**
 * What goes wrong between a client and its Redis: 0 failed callers, and no value older than its invalidation.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll } from "vitest"
import { endless, garbage, halfReply, late, type Rule, trickling } from "../support/faulty.ts"
import { deadline, type Fault, quietly, report, runFault, type World } from "../support/faultyRun.ts"

const ruled = (rule: Rule) => ({
  begin: ({ proxy }: World) => Effect.sync(() => proxy.rule(rule)),
  end: ({ proxy }: World) => Effect.sync(() => proxy.rule(undefined))
})

const faults: ReadonlyArray<Fault> = [
  {
    // Nobody says that it is over: the client has to give the connection up by itself.
    name: "half-open connection",
    begin: ({ proxy }) => Effect.sync(proxy.mute),
    end: () => Effect.void,
    invalidations: "either",
    says: /TimedOut/
  },
  { name: "replies 50 ms late", ...ruled(() => late(50)), invalidations: "either", says: /TimedOut/ },
  { name: "replies 400 ms late", ...ruled(() => late(400)), invalidations: "either", says: /TimedOut/ },
  {
    name: "replies beyond the deadline",
    ...ruled(() => late(deadline + 200)),
    invalidations: "fail",
    says: /TimedOut/
  },
  { name: "replies trickle", ...ruled(() => trickling(4)), invalidations: "either", says: /TimedOut/ },
  {
    name: "cut in the middle of each reply",
    ...ruled(() => halfReply),
    invalidations: "fail",
    says: /closed|ECONN|EPIPE/
  },
  {
    name: "cut in the middle of every 9th reply",
    ...ruled(({ count }) => (count % 9 === 0 ? halfReply : undefined)),
    invalidations: "either",
    says: /closed|ECONN|EPIPE/
  },
  { name: "garbage instead of replies", ...ruled(() => garbage), invalidations: "fail", says: /Unavailable/ },
  { name: "a reply that never ends", ...ruled(() => endless), invalidations: "fail", says: /TimedOut|Unavailable/ },
  {
    // Scripts are sent again; not one caller hears of it.
    name: "scripts forgotten between any two commands",
    ...ruled(() => ({ before: ["SCRIPT", "FLUSH"] })),
    invalidations: "either",
    says: /TimedOut/
  }
]

describe("faults of the network", { concurrent: true }, () => {
  const lines: Array<ReadonlyArray<unknown>> = []
  afterAll(() => report("Faults of the network", lines))
  for (const fault of faults) {
    it.live(
      fault.name,
      () => quietly(Effect.scoped(Effect.map(runFault(fault), (found) => lines.push(...found)))),
      60_000
    )
  }
})
