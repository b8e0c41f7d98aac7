/**
 * What the spans of reads and loads say of how they went (`observe/span.ts`).
 */
import { Exit } from "effect"
import type { CacheError } from "../CacheError.ts"
import { attributesOf, openSpan, type Outcome, outcomeOf } from "../observe/span.ts"
import type { Found } from "../protocol/verdict.ts"
import { mustFail, type Plan, type Request } from "./contract.ts"
import type { Caller } from "./flights.ts"
import type { Store } from "./store.ts"

/** What a look has found that is no valid entry. */
export type Missing = Exclude<Found, object>

/** The outcome of a question. One that fails, and fails its call, has none. */
export const answerOf =
  (plan: Plan) =>
  (exit: Exit.Exit<Found, CacheError>): Outcome | undefined =>
    Exit.isSuccess(exit) ? outcomeOf(exit.value) : Exit.hasInterrupts(exit) || mustFail(plan) ? undefined : "bypass"

/**
 * What the span of a load says as it begins; of a refresh nothing was `found`, because nobody looked. What is not to be kept goes
 * without the cache, but for sharing it.
 */
export const loadAttributes = (
  { backend }: Store,
  { key, plan }: Request,
  found: Missing | undefined,
  keeps: boolean
): Record<string, unknown> =>
  attributesOf(plan.region.name, key, backend.name, keeps ? found && outcomeOf(found) : "bypass")

/**
 * It waits for the load of another, in the store of that name: under a span of its own, where somebody looks, for what takes its
 * time is in another trace. Whether it is given what that has loaded, is said at its end. A tracer that throws keeps nobody from
 * waiting.
 */
export const waits = (caller: Caller, layer: string): void => {
  const { fiber, request } = caller
  try {
    caller.span ??= openSpan(fiber, "cache.wait", () => attributesOf(request.plan.region.name, request.key, layer))
  } catch {}
}
