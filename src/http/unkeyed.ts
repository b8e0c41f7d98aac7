/**
 * A key that a request does not fill. Clients may leave a parameter away, but where its name is misspelt nothing is ever cached,
 * so it is said.
 */
import { Context, Effect } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import type { CacheError } from "../CacheError.ts"
import { inPath } from "./routePath.ts"

const list = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** The warning, once for each wrapped handler, where the route has no such parameter. What the client sent stays out of it. */
export const makeUnkeyed = () => {
  let told = false
  return ({ reason }: CacheError, context: Context.Context<never>): Effect.Effect<void> => {
    if (told || reason._tag !== "InvalidKey" || reason.placeholder === undefined) return Effect.void
    const path = Context.getOrUndefined(context, HttpRouter.RouteContext)?.route.path ?? ""
    const known = inPath(path)
    const query = Context.getOrUndefined(context, HttpServerRequest.ParsedSearchParams) ?? {}
    if (known.includes(reason.placeholder) || Object.hasOwn(query, reason.placeholder)) return Effect.void
    told = true
    return Effect.logWarning(
      `effect-cache: a response of ${reason.key} is not cached, because the request has no {${reason.placeholder}}. The route ` +
        `${path} has these parameters: ${list(known)}; others are taken from the query, where {${reason.placeholder}?} may be absent`
    )
  }
}
