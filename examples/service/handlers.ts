/** What the endpoints do: ask the repository. Nothing here knows of the cache. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { SqlClient } from "effect/sql"
import { Api } from "./api.ts"
import { Unhealthy } from "./model.ts"
import { Products } from "./products.ts"

export const ProductHandlers = HttpApiBuilder.group(
  Api,
  "products",
  Effect.fn(function*(handlers) {
    const products = yield* Products
    return handlers.handleAll({
      list: ({ params }) => products.list(params.page),
      find: ({ params }) => products.find(params.id),
      create: ({ payload }) => products.create(payload),
      update: ({ params, payload }) => products.update(params.id, payload),
      remove: ({ params }) => products.remove(params.id),
      order: ({ payload }) => products.order(payload.lines)
    })
  })
)

export const SystemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function*(handlers) {
    const sql = yield* SqlClient.SqlClient
    return handlers.handleAll({
      // Without its database the service is of no use. Without its cache it is slower: no reason to take it out.
      health: () =>
        sql`SELECT 1`.pipe(
          Effect.timeout("2 seconds"),
          Effect.catch((error) => Effect.fail(new Unhealthy({ reason: error._tag }))),
          Effect.asVoid
        )
    })
  })
)
