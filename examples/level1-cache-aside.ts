/**
 * Level 1, cache-aside: look in the cache; on a miss load, store, return.
 *
 * For data that is read often and changes rarely. The cached function has the loader's errors, and no more: when the
 * cache itself fails, the loader runs.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Data, Effect, Option, Schema } from "effect"
import { cacheAside } from "effect-cache"
import { ExampleCache } from "./shared/layer.ts"

class User extends Schema.Class<User>("User")({ id: Schema.String, name: Schema.String }) {}

class UserNotFound extends Data.TaggedError("UserNotFound")<{ readonly id: string }> {}

// A database of two users that counts how often it is asked.
const users = new Map([
  ["123", "Ada"],
  ["456", "Grace"]
])
let queries = 0
const findUser = (id: string) =>
  Effect.suspend(() => {
    queries++
    const name = users.get(id)
    return name === undefined ? Effect.fail(new UserNotFound({ id })) : Effect.succeed(new User({ id, name }))
  })

// The placeholder must be a property of the argument: a key such as "user:{id}" would not compile here.
const getUser = cacheAside({ key: "user:{userId}", schema: User, ttl: "5 minutes" })(
  ({ userId }: { readonly userId: string }) => findUser(userId)
)

const program = Effect.gen(function*() {
  const first = yield* getUser({ userId: "123" })
  yield* Console.log(`first call:   ${first.name}, ${queries} query so far`)

  const second = yield* getUser({ userId: "123" })
  yield* Console.log(`second call:  ${second.name}, still ${queries} query`)
  assert.ok(second instanceof User) // decoded by the schema, also when it comes from Redis
  assert.equal(queries, 1)

  // Somebody changed the row behind our back. Once the invalidation is acknowledged, nobody reads the old name.
  users.set("123", "Ada Lovelace")
  yield* getUser.invalidate({ userId: "123" })
  const third = yield* getUser({ userId: "123" })
  yield* Console.log(`invalidated:  ${third.name}, ${queries} queries`)
  assert.equal(third.name, "Ada Lovelace")

  // The controls: `peek` never loads, `refresh` always does.
  assert.ok(Option.isNone(yield* getUser.peek({ userId: "456" })))
  assert.equal((yield* getUser.refresh({ userId: "456" })).name, "Grace")
  assert.ok(Option.isSome(yield* getUser.peek({ userId: "456" })))
  yield* Console.log(`refreshed:    ${getUser.key({ userId: "456" })}, ${queries} queries`)

  // Failures are the loader's own, and are not cached.
  const missing = yield* getUser({ userId: "789" }).pipe(
    Effect.catchTag("UserNotFound", ({ id }) => Effect.succeed(`there is no user ${id}`))
  )
  yield* Console.log(`a failure:    ${missing}`)
  assert.equal(queries, 4)
})

NodeRuntime.runMain(program.pipe(Effect.provide(ExampleCache)))
