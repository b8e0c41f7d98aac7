/**
 * A site behind nginx (`nginx.conf`): a page for all that nginx keeps as well, one that is the same for all and always new, and one
 * for each session.
 */
import { Effect, Layer } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerResponse } from "effect/http"
import { IpNetwork } from "effect/net"
import { invalidateTags } from "effect-cache"
import { cachedResponse } from "effect-cache/http"

let runs = 0
const page = (title: string) => Effect.sync(() => HttpServerResponse.text(`${title}, run ${++runs}`))

// nginx and browsers keep it for a minute: an invalidation does not reach them, so it is a page that may be old for so long.
const Press = HttpRouter.add(
  "GET",
  "/press/:id",
  cachedResponse("press", { ttl: "1 minute", shared: true, ignoreCookies: true, tags: ["articles"] })(page("press"))
)

// Kept here alone, for as long as nobody invalidates it: `private, no-cache`, and 304 for who has it.
const Article = HttpRouter.add(
  "GET",
  "/articles/:id",
  cachedResponse("article", { ttl: "1 hour", ignoreCookies: true, tags: ["articles"] })(page("article"))
)

// One for each session: its cookie is in the key, as a hash.
const Account = HttpRouter.add(
  "GET",
  "/account",
  cachedResponse("account", { ttl: "1 minute", authenticated: ["cookie:session"] })(({ cookies }) =>
    page(`account of ${cookies["session"] ?? "nobody"}`)
  )
)

const Changed = HttpRouter.add("POST", "/articles", Effect.as(invalidateTags(["articles"]), HttpServerResponse.empty()))

// nginx ends TLS: without this, the keys would say `http` and its own address. It is believed because it runs on this host, and
// because it replaces what clients send.
const Forwarded = HttpRouter.middleware(
  HttpMiddleware.xForwardedHeaders({ trustedProxies: [IpNetwork.fromStringUnsafe("127.0.0.0/8")] }),
  { global: true }
)

/** The routes. They need a cache: `HttpRouter.provideRequest(CacheLive)`. */
export const Site = Layer.mergeAll(Press, Article, Account, Changed, Forwarded)
