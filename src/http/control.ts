/**
 * `Cache-Control` as a policy says it. No cache for many may keep by it what is not for everybody; and that it is wrong is no reason
 * to answer nobody.
 */
import { Effect } from "effect"
import type { HttpServerResponse } from "effect/http"
import { invalidOption } from "../internal/invalidOption.ts"
import { makeOnce } from "../internal/once.ts"
import { askEachTime, isKeepable } from "./downstream.ts"
import type { Lifetime, Policy } from "./options.ts"
import { headerValue } from "./semantics.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Throws `CacheError` (`InvalidOption`). */
const checkText = (text: unknown, { personal }: Policy): string => {
  if (typeof text !== "string" || text.trim() === "" || !headerValue.test(text)) {
    throw invalidOption("cacheControl", text, 'a text such as "private, max-age=60", or a function that gives one')
  }
  if (personal && isKeepable(text)) {
    const why = "a cache for many would answer in the place of what authenticates"
    throw invalidOption("cacheControl", text, `a text with "private" or "no-store": ${why}`)
  }
  return text
}

/** What a policy says, and who tells of what is wrong with it. */
export interface Control {
  /** Throws nothing. */
  readonly cacheControl: Policy["cacheControl"]
  /** The response, behind a warning if there is one to give: once for each wrapped handler. */
  readonly warned: (response: Response) => Effect.Effect<Response>
}

/** A text is checked here and throws `CacheError` (`InvalidOption`); a function is when it is asked, and then the answer is `private`. */
export const controlOf = (policy: Policy, name: string): Control => {
  const { cacheControl: given } = policy
  if (typeof given !== "function") {
    return { cacheControl: given === undefined ? given : checkText(given, policy), warned: Effect.succeed }
  }
  let problem: { readonly cause: unknown } | undefined
  const once = makeOnce()
  return {
    cacheControl: (lifetime: Lifetime) => {
      try {
        const said: unknown = given(lifetime)
        // Nobody else listens: if it is rejected, it must not end the process.
        if (said instanceof Promise) said.catch(() => {})
        return checkText(said, policy)
      } catch (cause) {
        problem = { cause }
        return askEachTime
      }
    },
    warned: (response) => {
      if (problem === undefined) return Effect.succeed(response)
      const text = `effect-cache: cacheControl of ${name} gave nothing that may be sent, so its responses go out as "${askEachTime}"`
      return Effect.as(once(Effect.logWarning(text, problem.cause)), response)
    }
  }
}
