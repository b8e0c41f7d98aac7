/**
 * Level 5, tags: name what an entry depends on, and invalidate everything that depends on it at once.
 *
 * The cost of an invalidation does not depend on how many entries bear the tag. Where tags follow from the value, give
 * them to the region; `tagCacheKey` adds some to an entry that is there.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Option, Schema } from "effect"
import { buildCacheKey, cacheAside, CacheClient, CacheRegion, invalidateTags, tagCacheKey } from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String, tenantId: Schema.String }) {}

const users = new Map([
  ["1", "Ada"],
  ["2", "Grace"],
  ["3", "Edsger"]
])
let queries = 0
const fetchUser = (id: string) =>
  Effect.sync(() => {
    queries++
    return new User({ id, name: users.get(id) ?? "?", tenantId: id === "3" ? "8" : "7" })
  })

// By hand, with the client: set the value, tag its key, invalidate by tag.
const byHand = (id: string) =>
  Effect.gen(function*() {
    const cache = yield* CacheClient
    const key = buildCacheKey("profile:{id}", { params: { id } })
    const found = yield* cache.get(key, User)
    if (Option.isSome(found)) return found.value
    const user = yield* fetchUser(id)
    yield* cache.set(key, user, { schema: User, ttl: "5 minutes" })
    yield* tagCacheKey(key, ["user", "profile", `tenant:${user.tenantId}`])
    return user
  })

// Declared once: the entry and its tags are written together, and loads in flight are fenced too. Prefer this.
const Users = CacheRegion.make({
  key: "user:{userId}",
  schema: User,
  ttl: "5 minutes",
  tags: (user) => ["user", `tenant:${user.tenantId}`]
})
const getUser = cacheAside(Users)(({ userId }: { readonly userId: string }) => fetchUser(userId))

const readAll = Effect.gen(function*() {
  const before = queries
  yield* byHand("1")
  for (const userId of users.keys()) yield* getUser({ userId })
  return queries - before
})

const program = Effect.gen(function*() {
  yield* Console.log(`cold:                  ${yield* readAll} queries`)
  yield* Console.log(`warm:                  ${yield* readAll} queries`)

  yield* invalidateTags(["tenant:7"])
  const tenant = yield* readAll
  yield* Console.log(`tag tenant:7 dropped:  ${tenant} queries, the user of tenant 8 was kept`)
  assert.equal(tenant, 3)

  yield* invalidateTags(["profile"])
  assert.equal(yield* readAll, 1)
  yield* Console.log("tag profile dropped:   1 query")

  yield* invalidateTags(["user"])
  assert.equal(yield* readAll, 4)
  yield* Console.log("tag user dropped:      4 queries")

  // There must be a valid entry to tag.
  assert.equal(yield* tagCacheKey("profile:none", ["user"]), false)
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
