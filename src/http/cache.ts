/**
 * What is made once of a wrapped handler: its policy, and how the engine is asked.
 */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { CompiledKey } from "../CacheKey.ts"
import type { OnCacheError } from "../CacheRegion.ts"
import type { Plan } from "../engine/contract.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import { fixedTags, leaseMillis, positiveMillis, strings } from "../region/checks.ts"
import { makeUnsafe, type Region } from "../region/region.ts"
import type { CacheClient } from "../services/CacheClient.ts"
import { type Forward, marked } from "./cacheStatus.ts"
import { type Control, controlOf } from "./control.ts"
import { passing } from "./downstream.ts"
import { compileName, hasVariants } from "./key.ts"
import { type Call, load, type Made, type Run } from "./load.ts"
import { optionsOf, type Policy, policyUnsafe, type ResponseOptions } from "./options.ts"
import { HitForPass } from "./hitForPass.ts"
import { Reloads } from "./reloads.ts"
import { StoredResponse } from "./stored.ts"
import { makeUnkeyed } from "./unkeyed.ts"

type Response = HttpServerResponse.HttpServerResponse

const regionOf = (compiled: CompiledKey, options: ResponseOptions<OnCacheError>, name: string): Region => {
  const { tags } = options
  if (tags !== undefined && typeof tags !== "function") {
    fixedTags("tags", strings("tags", tags), "a text, or a function such as ({ request }) => [`page:${request.url}`]")
  }
  const region = makeUnsafe({
    key: compiled,
    schema: StoredResponse,
    ttl: (_: StoredResponse, call: Call) => {
      if (call.problem !== undefined) throw call.problem
      return call.ttlMillis
    },
    tags: typeof tags === "function" ? (_: StoredResponse, call: Call) => tags(call.exchange!) : tags,
    onCacheError: options.onCacheError
  })
  const { staticTags, tagsOf } = region
  // By those of the URL changes find what is stored under another key than that of the URL.
  const all = (value: unknown, call: unknown): ReadonlyArray<string> => {
    const own = tagsOf === undefined ? staticTags : optionsOf(name, () => tagsOf(value, call))
    const { made, urlTag } = call as Call
    // The last that is asked before it is stored.
    if (made !== undefined) made.kept = true
    return urlTag === undefined ? own : [...new Set([...own, urlTag])]
  }
  return { ...region, tagsOf: all }
}

/** The plan for reads, the way around the cache, and the reloads under way with each client. */
export interface Cache {
  readonly policy: Policy
  /** Why the handler is asked where nothing is found. With variants it is not known whether another one is there. */
  readonly miss: Forward
  readonly compiled: CompiledKey
  readonly plan: Plan
  readonly direct: Plan
  readonly reloads: WeakMap<CacheClient["Service"], Reloads<Made>>
  readonly unkeyed: ReturnType<typeof makeUnkeyed>
  readonly passes: HitForPass
  readonly warned: Control["warned"]
}

const stale: Forward = { fwd: "stale" }

/** The answer to `only-if-cached` where nothing is. Of this request alone, for which nobody was asked. */
const gatewayTimeout = ({ key }: Call): Response =>
  marked(HttpServerResponse.empty({ status: 504, headers: { "cache-control": "no-store" } }), {
    forward: { detail: "only-if-cached" },
    key
  })

const make = (
  name: string,
  run: Run,
  nameOrKey: string,
  options: ResponseOptions<OnCacheError>,
  storing: (policy: Policy) => Run,
  more?: object,
  granted?: Partial<Policy>
): Cache => {
  const said = { ...policyUnsafe(options, more), ...granted }
  const { cacheControl, warned } = controlOf(said, name)
  const { ttl } = said
  const policy: Policy = {
    ...said,
    cacheControl,
    ttl: typeof ttl === "function" ? (exchange) => optionsOf(name, () => ttl(exchange)) : ttl
  }
  const compiled = compileName(nameOrKey, policy.secretQuery)
  if (compiled.placeholders.length > 0 && policy.query !== undefined) {
    throw invalidOption(
      "query",
      options.query,
      "none beside a key with placeholders, which names its parameters, as in {page?}"
    )
  }
  const { stampede = false } = options
  const { lockTtl, waitTimeout } = typeof stampede === "object" ? stampede : {}
  const plan: Plan = {
    region: regionOf(compiled, options, name),
    load: load(compiled, policy, storing(policy)),
    leaseMillis: lockTtl === undefined ? undefined : leaseMillis("stampede.lockTtl", lockTtl),
    wait:
      stampede === false
        ? undefined
        : {
            timeoutMillis: waitTimeout === undefined ? undefined : positiveMillis("stampede.waitTimeout", waitTimeout),
            onTimeout: "load",
            // What two could not store, the others seldom can: they would wait for each other in turn. One alone may have been
            // overtaken by an invalidation.
            loads: 2
          },
    memory: false,
    // Reloads are asked for by clients: they must not keep the loads of others, here or elsewhere, from being stored.
    yields: true,
    overtaken: (call: Call) => {
      call.forward = stale
    },
    refused: (call: Call) => {
      if (call.made !== undefined) call.made.kept = false
    }
  }
  const direct: Plan = {
    ...plan,
    load: (call: Call) =>
      call.onlyIfCached
        ? Effect.succeed(gatewayTimeout(call))
        : Effect.map(run(call.request), (response) =>
            marked(passing(response, policy, call.request.method), {
              forward: call.forward,
              forwardStatus: response.status,
              key: call.key
            })
          )
  }
  const miss: Forward = { fwd: hasVariants(policy) ? "miss" : "uri-miss" }
  return {
    policy,
    compiled,
    miss,
    plan,
    direct,
    reloads: new WeakMap(),
    unkeyed: makeUnkeyed(),
    passes: new HitForPass(),
    warned
  }
}

/** `name`: whose options they are, in errors. `storing`: the handler for the store. Throws `CacheError`. */
export const makeCache = (...given: Parameters<typeof make>): Cache => optionsOf(given[0], () => make(...given))

export const reloadsOf = ({ reloads }: Cache, client: CacheClient["Service"]): Reloads<Made> => {
  let own = reloads.get(client)
  if (own === undefined) {
    own = new Reloads()
    reloads.set(client, own)
  }
  return own
}
