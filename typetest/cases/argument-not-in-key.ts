/** Two calls that differ in what is not in the key would share one value. */
import { Effect, Schema } from "effect"
import { cacheAside, memoize, stampedeProtect } from "../../src/index.ts"

type Params = { readonly userId: string; readonly locale: string }
const greet = ({ locale, userId }: Params) => Effect.succeed(`${userId} in ${locale}`)
const items = (category: string, page: number) => Effect.succeed(`${category} page ${page}`)
const User = { key: "user:{userId}", schema: Schema.String, ttl: "1 minute" } as const
const Items = { key: "items:{0}", schema: Schema.String, ttl: "1 minute" } as const

// @ts-expect-error the key does not contain: locale; add it to the key or to ignore
export const a = cacheAside(User)(greet)
// @ts-expect-error the key does not contain: locale; add it to the key or to ignore
export const b = cacheAside(greet, User)
// @ts-expect-error the key does not contain: locale; add it to the key or to ignore
export const c = stampedeProtect(User)(greet)
// @ts-expect-error the key does not contain: locale; add it to the key or to ignore
export const d = memoize({ key: "user:{userId}" })(greet)
// @ts-expect-error the key does not contain: argument 1; add {1} to the key, or 1 to ignore
export const e = cacheAside(Items)(items)
// @ts-expect-error the key does not contain: argument 1; add {1} to the key, or 1 to ignore
export const f = cacheAside(items, Items)

export const right = [
  cacheAside({ ...User, key: "user:{userId}:{locale}" })(greet),
  cacheAside(User, { ignore: ["locale"] })(greet),
  cacheAside({ ...Items, key: "items:{0}:{1}" })(items),
  cacheAside(Items, { ignore: [1] })(items)
]
