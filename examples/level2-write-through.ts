/**
 * Level 2, write-through: run the write, store what it returns, and invalidate what it made stale.
 *
 * For writes whose readers must see them at once. Reader and writer share one region, so that key, schema and lifetime
 * cannot drift apart.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Schema } from "effect"
import { cacheAside, CacheRegion, writeThrough } from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String }) {}

const users = new Map([
  ["123", "Ada"],
  ["456", "Grace"]
])
const queries = { byId: 0, list: 0, update: 0 }

const Users = CacheRegion.make({ key: "user:{userId}", schema: User, ttl: "5 minutes" })

const getUser = cacheAside(Users)(({ userId }: { readonly userId: string }) =>
  Effect.sync(() => {
    queries.byId++
    return new User({ id: userId, name: users.get(userId) ?? "?" })
  })
)

const listUsers = cacheAside({ key: "users:list:{0}", schema: Schema.Array(Schema.String), ttl: "1 minute" })(
  (order: "asc" | "desc") =>
    Effect.sync(() => {
      queries.list++
      const names = [...users.values()].sort()
      return order === "asc" ? names : names.reverse()
    })
)

const updateUser = writeThrough(Users, { invalidatePatterns: ["users:list:*"] })(
  ({ name, userId }: { readonly userId: string; readonly name: string }) =>
    Effect.sync(() => {
      queries.update++
      users.set(userId, name)
      return new User({ id: userId, name })
    })
)

const program = Effect.gen(function*() {
  yield* getUser({ userId: "123" })
  yield* Console.log(
    `lists before:  ${(yield* listUsers("asc")).join(", ")} / ${(yield* listUsers("desc")).join(", ")}`
  )

  const updated = yield* updateUser({ userId: "123", name: "Lovelace" })
  yield* Console.log(`updated:       ${updated.name}`)

  // The entry holds what was written: reading it asks no database. The lists were invalidated, and load again.
  const read = yield* getUser({ userId: "123" })
  yield* Console.log(`read back:     ${read.name}, ${queries.byId} query by id in all`)
  yield* Console.log(
    `lists after:   ${(yield* listUsers("asc")).join(", ")} / ${(yield* listUsers("desc")).join(", ")}`
  )

  assert.equal(read.name, "Lovelace")
  assert.deepEqual(yield* listUsers("asc"), ["Grace", "Lovelace"])
  assert.deepEqual(queries, { byId: 1, list: 4, update: 1 })
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
