/**
 * What an attack is: a site, requests to it, and how to see that an answer was for somebody else.
 *
 * Each answer says whom it is for (`x-who`, and its body) and of which revision it is. The same requests go to the same site without any
 * cache: what that says is what a right answer says. **What counts as wrong** is an answer with other words than those, from whatever was
 * asked before, by whomever; so a page that was invalidated, or that of another, is one.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse as Response } from "effect/http"
import { cachedResponse, type ResponseOptions } from "../../../src/http/index.ts"
import { invalidateTags } from "../../../src/index.ts"
import type { RawAnswer, RawRequest } from "../../support/rawHttp.ts"

type Request = HttpServerRequest.HttpServerRequest

/** What a site is made of. Without a cache, `cached` leaves handlers alone. */
export interface Tools {
  readonly isCached: boolean
  readonly cached: typeof cachedResponse
  /** A handler that answers what it sees of a request. */
  readonly telling: (
    who: (request: Request) => unknown
  ) => (request: Request) => Effect.Effect<Response.HttpServerResponse>
  /** The answer itself. */
  readonly tell: (who: unknown) => Response.HttpServerResponse
}

export interface Attack {
  readonly name: string
  readonly site: (tools: Tools) => Layer.Layer<never, never, any>
  readonly requests: ReadonlyArray<RawRequest>
  /** A site that is refused while its routes are built is right, too. */
  readonly mayBeRefused?: boolean | undefined
  /** No two answers may have the same cookie. */
  readonly sessions?: boolean | undefined
}

const tag = "all"
export const policy: ResponseOptions = { ttl: "10 minutes", tags: [tag] }

/** What changes the site, and invalidates all of it. */
export const change: RawRequest = { method: "POST", target: "/changed-by-somebody" }

export const routesOf = ({ site }: Attack, isCached: boolean) => {
  let revision = 1
  const tell = (who: unknown) => {
    const words = JSON.stringify({ who: who ?? null, revision })
    return Response.text(words, { headers: { "x-who": encodeURIComponent(words) } })
  }
  const cached = ((...args: ReadonlyArray<unknown>) =>
    typeof args[0] === "string" ? (handler: unknown) => handler : args[0]) as unknown as typeof cachedResponse
  const tools: Tools = {
    isCached,
    cached: isCached ? cachedResponse : cached,
    tell,
    telling: (who) => (request) => Effect.sync(() => tell(who(request)))
  }
  const changed = HttpRouter.add(
    "POST",
    change.target as "/",
    Effect.sync(() => revision++).pipe(
      Effect.andThen(isCached ? invalidateTags([tag]) : Effect.void),
      Effect.as(Response.empty())
    )
  )
  return Layer.merge(site(tools), changed)
}

/** Statuses without anybody's words in them. */
const refusals = new Set([304, 400, 412, 416, 504])

/** What is wrong with an answer, beside the one that came without a cache. */
export const complaint = (request: RawRequest, answer: RawAnswer, right: RawAnswer): string | undefined => {
  // The client would not send it.
  if (answer.status === 0) return undefined
  const who = answer.headers["x-who"]
  if (who !== undefined && who !== right.headers["x-who"])
    return `for another: ${decodeURIComponent(who)}, not ${decodeURIComponent(right.headers["x-who"] ?? "nobody")}`
  const conditional = (request.headers ?? []).some(([name]) => /^if-(none-match|modified-since)$/i.test(name))
  if (answer.status === 304 && !conditional) return "a 304 that nobody asked for"
  if (answer.status === 206) return right.body.includes(answer.body) ? undefined : `a part of another: ${answer.body}`
  if (refusals.has(answer.status)) return undefined
  if (answer.status !== right.status) return `status ${answer.status}, not ${right.status}`
  return answer.body === right.body ? undefined : `the body of another: ${answer.body}, not ${right.body}`
}
