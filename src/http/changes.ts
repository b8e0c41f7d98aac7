/**
 * What a request with an unsafe method makes old (RFC 9111, 4.4): what is stored for its URL, in all variants, and for those
 * that `Location` and `Content-Location` name.
 *
 * Which variants there are only those who store them know. So each of them has a tag that is made of the URL alone, and a change
 * costs the same however much is stored.
 */
import { Cause, type Context, Effect, Exit, Result } from "effect"
import { HttpServerError, type HttpServerRequest, type HttpServerResponse } from "effect/http"
import { CacheError } from "../CacheError.ts"
import type { CompiledKey } from "../CacheKey.ts"
import { mustFail, type Plan } from "../engine/contract.ts"
import type { CacheClient } from "../services/CacheClient.ts"
import { type UrlKeys, urlKeysUnsafe } from "./key.ts"
import type { Policy } from "./options.ts"
import { type Place, placeOf, split } from "./place.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** The registered methods that change nothing. Of any other it is not known. */
const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PRI", "PROPFIND", "QUERY", "REPORT", "SEARCH"])

export const isUnsafe = (method: string): boolean => !safe.has(method)

/** A host without the port that its scheme has anyway: which scheme that is, a server behind a proxy does not know. */
const hostOf = ({ hostname, port }: URL): string =>
  port === "" || port === "80" || port === "443" ? hostname : `${hostname}:${port}`

/** The place of a URL that a response names; `undefined` where that is of another host, or is none. */
const namedBy = (place: Place, name: string): Place | undefined => {
  try {
    const own = new URL(`${place.scheme}://${place.host === "" ? "localhost" : place.host}${place.path}`)
    const url = new URL(name, own)
    if (!/^https?:$/.test(url.protocol) || hostOf(url) !== hostOf(own)) return undefined
    const [path, query] = split(url.pathname + url.search)
    return { ...place, path, query }
  } catch {
    return undefined
  }
}

/**
 * What is known of each URL that is old once a request has ended with these headers. A template is filled by the route, so only a
 * name tells of other URLs.
 */
const urlsOf = (
  compiled: CompiledKey,
  policy: Policy,
  request: Request,
  context: Context.Context<never>,
  headers: Readonly<Record<string, string | undefined>>
): ReadonlyArray<ReadonlyArray<UrlKeys>> => {
  const isTemplate = compiled.placeholders.length > 0
  // With a malformed host it is a place all the same to those who look at none.
  const place = placeOf(request) ?? placeOf(request, true)
  const places: Array<Place | undefined> = [place]
  if (!isTemplate && place !== undefined) {
    for (const name of [headers["location"], headers["content-location"]]) {
      const named = name === undefined ? undefined : namedBy(place, name)
      if (named !== undefined) places.push(named)
    }
  }
  // Those who read may have been told otherwise than this route of hosts.
  const policies = isTemplate ? [policy] : [true, false].map((anyHost) => ({ ...policy, anyHost }))
  return places.map((place) =>
    policies.flatMap((policy) => {
      try {
        return urlKeysUnsafe(compiled, policy, place, context)
      } catch (error) {
        // It lacks a parameter of the key, or has no place, so nothing is stored of it.
        if (error instanceof CacheError) return []
        throw error
      }
    })
  )
}

/** Whether something may have changed. Of one that ended in no response, or in an error of the server, nobody knows. */
const mayHaveChanged = (exit: Exit.Exit<Response, unknown>, { status }: Response): boolean =>
  (status >= 200 && status < 400) || status >= 500 || (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))

interface Changed {
  readonly compiled: CompiledKey
  readonly plan: Plan
  readonly policy: Policy
}

/**
 * A request that may change what is stored. What it has made old is so before its response goes out, also when its client has gone.
 * A cache that fails is recorded, and fails the request only where it is to.
 */
export const changing = (
  { compiled, plan, policy }: Changed,
  client: CacheClient["Service"],
  request: Request,
  context: Context.Context<never>,
  handled: Effect.Effect<Response, unknown, unknown>
): Effect.Effect<Response, unknown, unknown> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(handled)), (exit) => {
      const invalidate = (response: Response): Effect.Effect<void, CacheError> => {
        if (!mayHaveChanged(exit, response)) return Effect.void
        const each = urlsOf(compiled, policy, request, context, response.headers).flatMap((urls) => [
          client.invalidateKeys(urls.map(({ key }) => key)),
          client.invalidateTags(urls.flatMap(({ pathTag, tag }) => [tag, pathTag]))
        ])
        // One that fails keeps none of the others from being tried.
        return Effect.flatMap(Effect.forEach(each, Effect.result, { concurrency: "unbounded" }), (results) => {
          const failed = results.find(Result.isFailure)
          // A request that has failed keeps its own failure.
          return failed !== undefined && mustFail(plan) && Exit.isSuccess(exit)
            ? Effect.fail(failed.failure)
            : Effect.void
        })
      }
      const response: Effect.Effect<Response> = Exit.isSuccess(exit)
        ? Effect.succeed(exit.value)
        : Effect.map(HttpServerError.causeResponse(exit.cause), ([sent]) => sent)
      return Effect.andThen(Effect.flatMap(response, invalidate), exit)
    })
  )
