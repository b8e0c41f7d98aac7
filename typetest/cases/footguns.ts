/** Calls that could only mislead: each compiled once, succeeded, and invalidated nothing or shared what differs. */
import { Effect, Schema } from "effect"
import { cacheAside, CacheRegion, invalidateKeys, invalidateTags, tagCacheKey, writeThrough } from "../../src/index.ts"

const load = (id: string) => Effect.succeed(`v of ${id}`)

export const get = cacheAside({ key: "u:{id}", schema: Schema.String, ttl: "1 minute", tags: ["users"] })(
  ({ id }: { readonly id: string }) => load(id)
)

export const program = Effect.gen(function*() {
  // @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
  yield* invalidateTags("users")
  // @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
  yield* invalidateKeys("u:1")
  // @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
  yield* tagCacheKey("u:1", "users")
  yield* invalidateTags(["users"])
  yield* invalidateKeys([get.key({ id: "1" })])
})

export const list = cacheAside({ key: "list:{tenant}", schema: Schema.String, ttl: "1 minute" })(
  // @ts-expect-error the key does not contain: page; add it to the key or to ignore
  ({ page, tenant }: { readonly tenant: string; readonly page: number }) => load(`${tenant} ${page}`)
)

// The feed is tagged as the doc is, so its tag is to be listed: as a list.
const Docs = CacheRegion.make({ key: "doc:{id}", schema: Schema.String, ttl: "1 minute", tags: ["docs"] })
// @ts-expect-error a list of strings, not a string: write [text], or [String(n)]
export const wrong = writeThrough(Docs, { invalidateTags: "docs" })
export const setDoc = writeThrough(Docs, { invalidateTags: ["docs"] })(
  ({ v }: { readonly id: string; readonly v: string }) => Effect.succeed(v)
)
