/**
 * The request as a load sees it. The response is for the store, so it is to be a whole one, whatever the client asked for.
 */
import { Headers, type HttpServerRequest } from "effect/http"

type Request = HttpServerRequest.HttpServerRequest

/** What makes a response to GET less than the whole. */
const conditions = ["if-none-match", "if-modified-since", "if-range"]

/**
 * Whether a whole response can be had for this request. Handlers may look at `source` too: where that is a web `Request`,
 * it is replaced; where it is anything else (the `IncomingMessage` of Node), a HEAD stays one for who looks there.
 */
export const canBeWhole = ({ method, source }: Request): boolean =>
  method === "GET" || source instanceof globalThis.Request

const view = (request: Request, headers: Headers.Headers, source: object): Request =>
  Object.create(request, {
    method: { value: "GET" },
    headers: { value: headers },
    source: { value: source },
    // The original would make a copy of itself, with its method and headers.
    modify: {
      value: (options: Parameters<Request["modify"]>[0]) => {
        const modified = request.modify({ ...options, headers: options.headers ?? headers })
        return view(modified, modified.headers, source)
      }
    }
  })

/** The request as a GET without conditions. Only where it `canBeWhole`. */
export const wholeOf = (request: Request): Request => {
  const { headers, method, source } = request
  const web = source instanceof globalThis.Request ? source : undefined
  const conditional = conditions.some((name) => headers[name] !== undefined || web?.headers.has(name) === true)
  if (method === "GET" && !conditional) return request
  const sent = new globalThis.Headers(web?.headers)
  for (const name of conditions) sent.delete(name)
  return view(
    request,
    Headers.removeMany(headers, conditions),
    web === undefined ? source : new globalThis.Request(web, { method: "GET", headers: sent })
  )
}
