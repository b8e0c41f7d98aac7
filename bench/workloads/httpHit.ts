/**
 * A response from the cache, as a web handler of a router gives it: the route is found, and the body is read.
 */
import { Effect, type Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { CacheMemory } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { cachedResponse } from "effect-cache/http"
import { drive } from "../lib/drive.ts"
import { prefixOf } from "../lib/readers.ts"
import type { Group, OpenContext, Runner, Workload } from "../lib/workload.ts"

const pages = 1_000

/** The way through a web handler is long, and takes many until it is compiled. */
const warmHits = 30_000

const policies = {
  name: { ttl: "1 hour" },
  variants: { ttl: "1 hour", vary: ["accept-language"], authenticated: ["x-api-key"] }
} as const

const headers = { "accept-language": "de", "x-api-key": "k", "user-agent": "bench" }

const open =
  (store: "memory" | "redis") =>
  async ({ group, subject, url }: OpenContext): Promise<Runner> => {
    let loads = 0
    const handler = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
      loads++
      return HttpServerResponse.jsonUnsafe({ url, text: "x".repeat(1_000) })
    })
    const policy = policies[group.params["policy"] as keyof typeof policies]
    const cache =
      store === "memory"
        ? CacheMemory.layer({ maxEntries: 2 * pages, maxBytes: "1 GiB" })
        : CacheRedis.layer({ url, namespace: prefixOf(`${subject} ${group.id}`), timeout: "10 seconds" })
    const routes = HttpRouter.add("GET", "/pages/:id", cachedResponse("page", policy)(handler))
    const web = HttpRouter.toWebHandler(routes.pipe(HttpRouter.provideRequest(cache as Layer.Layer<any>)), {
      disableLogger: true
    })
    const get = async (id: string): Promise<string> =>
      (await web.handler(new Request(`http://localhost/pages/${id}`, { headers }))).text()
    for (let i = 0; i < pages; i++) await get(String(i))
    const run = drive({ get }, (i) => String(i % pages), Number(group.params["inFlight"]))
    await run(warmHits)
    return {
      kind: "block",
      run: async (count) => {
        await run(count)
        if (loads !== pages) throw new Error(`${subject}: ${loads} loads of ${pages} pages`)
      },
      close: () => web.dispose()
    }
  }

const group = (store: "memory" | "redis", policy: keyof typeof policies, inFlight: number): Group => ({
  id: store === "memory" ? `memory-http/${policy}` : `redis-http/${policy}-${inFlight}`,
  title:
    (policy === "name" ? "under a name" : "in variants, by a header and a credential") +
    (store === "memory" ? "" : `, ${inFlight} in flight`),
  unit: "us",
  clock: store === "memory" ? "cpu" : "wall",
  subjects: ["effect-cache"],
  params: { inFlight, policy },
  ...(store === "memory" ? {} : { blockMillis: 30 })
})

export const memoryHttp: Workload = {
  id: "memory-http",
  title: "A cached response from memory",
  text: "The whole way of a request through a web handler: the route, the key, the look-up, the headers, and 1 kB of JSON. CPU time.",
  redis: false,
  fresh: true,
  groups: () => [group("memory", "name", 1), group("memory", "variants", 1)],
  open: open("memory")
}

export const redisHttp: Workload = {
  id: "redis-http",
  title: "A cached response from Redis",
  text: "As that from memory, so many requests in flight.",
  redis: true,
  fresh: true,
  groups: () => [group("redis", "name", 64), group("redis", "variants", 64)],
  open: open("redis")
}
