/** The API as a value: the server implements it, clients and tests are derived from it. */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { OrderLine, OutOfStock, Product, ProductId, ProductInput, ProductNotFound, Unhealthy } from "./model.ts"

const Page = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

class ProductsApi extends HttpApiGroup.make("products").add(
  HttpApiEndpoint.get("list", "/products/pages/:page", { params: { page: Page }, success: Schema.Array(Product) }),
  HttpApiEndpoint.get("find", "/products/:id", {
    params: { id: ProductId },
    success: Product,
    error: ProductNotFound
  }),
  HttpApiEndpoint.post("create", "/products", { payload: ProductInput, success: Product }),
  HttpApiEndpoint.put("update", "/products/:id", {
    params: { id: ProductId },
    payload: ProductInput,
    success: Product,
    error: ProductNotFound
  }),
  HttpApiEndpoint.delete("remove", "/products/:id", {
    params: { id: ProductId },
    success: HttpApiSchema.NoContent,
    error: ProductNotFound
  }),
  HttpApiEndpoint.post("order", "/orders", {
    payload: Schema.Struct({ lines: Schema.Array(OrderLine) }),
    success: Schema.Array(Product),
    error: [ProductNotFound, OutOfStock]
  })
) {}

class SystemApi extends HttpApiGroup.make("system", { topLevel: true }).add(
  HttpApiEndpoint.get("health", "/health", { success: HttpApiSchema.NoContent, error: Unhealthy })
) {}

export class Api extends HttpApi.make("shop").add(ProductsApi, SystemApi) {}
