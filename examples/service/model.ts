/** What the shop speaks of. The API, the repository and the cache share these schemas. */
import { Schema } from "effect"

export const ProductId = Schema.Int.pipe(Schema.brand("ProductId"))
export type ProductId = typeof ProductId.Type

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const fields = { name: Schema.NonEmptyString, price: Count, stock: Count }

export class Product extends Schema.Class<Product>("Product")({ id: ProductId, ...fields }) {}

/** What a client says of a product. */
export class ProductInput extends Schema.Class<ProductInput>("ProductInput")(fields) {}

export class OrderLine extends Schema.Class<OrderLine>("OrderLine")({
  id: ProductId,
  quantity: Schema.Int.check(Schema.isGreaterThan(0))
}) {}

export class ProductNotFound extends Schema.TaggedError<ProductNotFound>()(
  "ProductNotFound",
  { id: ProductId },
  { httpApiStatus: 404 }
) {}

export class OutOfStock extends Schema.TaggedError<OutOfStock>()(
  "OutOfStock",
  { id: ProductId, left: Count },
  { httpApiStatus: 409 }
) {}

export class Unhealthy extends Schema.TaggedError<Unhealthy>()(
  "Unhealthy",
  { reason: Schema.String },
  { httpApiStatus: 503 }
) {}
