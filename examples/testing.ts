/**
 * Testing what you cached, with `CacheTest`: in memory, but stored as bytes and decoded on each hit as on Redis, on the
 * test's clock, and with a look inside.
 *
 * With `@effect/vitest` each `check` below is an `it.effect(name, () => ...)`, which brings the test clock; here they
 * run as a plain program.
 */
import assert from "node:assert/strict"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Exit, Schema, SchemaGetter } from "effect"
import { cacheAside, invalidateKey, memoize } from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { TestClock } from "effect/testing"

// What is under test.
const Item = Schema.Struct({ id: Schema.String, seen: Schema.Date })
const getItem = cacheAside({ key: "test:{id}", schema: Item, ttl: "1 minute", tags: ["item"] })(
  ({ id }: { readonly id: string }) => Effect.succeed({ id, seen: new Date(0) })
)

// A codec with a mistake: what it encodes does not come back the same.
const Rounded = Schema.Finite.pipe(
  Schema.decodeTo(Schema.Finite, {
    decode: SchemaGetter.transform((n: number) => Math.round(n)),
    encode: SchemaGetter.transform((n: number) => n)
  })
)

/** Each check has a cache and a clock of its own. */
const check = <E>(
  name: string,
  body: Effect.Effect<void, E, CacheTest | Effect.Services<ReturnType<typeof getItem>>>
) =>
  body.pipe(
    Effect.andThen(Console.log(`ok  ${name}`)),
    Effect.provide(CacheTest.layer, { local: true }),
    Effect.provide(TestClock.layer(), { local: true })
  )

const program = Effect.all([
  check(
    "the second call is a hit, equal to the first",
    Effect.gen(function*() {
      const test = yield* CacheTest
      const result = yield* getItem({ id: "123" })
      assert.equal(result.id, "123")
      assert.deepEqual(yield* getItem({ id: "123" }), result)
      assert.equal(yield* test.loads(), 1)
    })
  ),

  check(
    "the entry: key, stored JSON, tags",
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* getItem({ id: "123" })
      const entry = yield* test.entry("test:123")
      assert.deepEqual(entry?.json, { id: "123", seen: "1970-01-01T00:00:00.000Z" })
      assert.deepEqual(entry?.tags, ["item"])
    })
  ),

  check(
    "it expires on the test's clock",
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* getItem({ id: "123" })
      yield* TestClock.adjust("59 seconds")
      yield* getItem({ id: "123" })
      assert.equal(yield* test.loads(), 1)
      yield* TestClock.adjust("1 second")
      yield* getItem({ id: "123" })
      assert.equal(yield* test.loads(), 2)
    })
  ),

  check(
    "a broken cache fails no request, but an invalidation says so",
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("*", { fail: true })
      assert.equal((yield* getItem({ id: "123" })).id, "123")
      const lost = yield* Effect.flip(invalidateKey("test:123"))
      assert.equal(lost.reason._tag, "Unavailable")
    })
  ),

  check(
    "a schema that does not give the value back fails the test",
    Effect.gen(function*() {
      const half = memoize({ name: "half", schema: Rounded, ttl: "1 minute" })((n: number) => Effect.succeed(n / 2))
      assert.equal(yield* half(4), 2)
      assert.ok(Exit.hasDies(yield* Effect.exit(half(5))))
    })
  )
])

NodeRuntime.runMain(program)
