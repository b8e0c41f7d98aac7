/**
 * Who is given the same object as somebody else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { cacheAside, CacheClient, CacheFallback, CacheMemory, memoize, stampedeProtect } from "../../src/index.ts"
import { CacheRedis, type RedisOptions } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { withoutSchema } from "./withoutSchema.ts"

const server = sharedRedis()

const Box = Schema.Struct({ items: Schema.mutable(Schema.Array(Schema.Number)) })
const settings = { key: "box:{id}", schema: Box, ttl: "1 minute" } as const
type Id = { readonly id: string }

const open = (options: RedisOptions) =>
  Effect.flatMap(server, ({ url }) => buildClient(CacheRedis.layer({ url, namespace: freshNamespace(), ...options })))

const loads = { count: 0 }
const load = (_: Id) =>
  Effect.delay(
    Effect.sync(() => {
      loads.count++
      return { items: [1] }
    }),
    20
  )

/** Three at once. */
const three = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.all([effect, effect, effect], { concurrency: "unbounded" })
const different = <A>(values: ReadonlyArray<A>) => new Set(values).size

describe("isolation", () => {
  for (const [isolation, objects] of [
    ["reference", 1],
    ["clone", 3]
  ] as const) {
    for (const tags of [[], ["T", "U"]]) {
      it.live(`${isolation}, ${tags.length} tags: callers of one load and of one read have ${objects} objects`, () =>
        Effect.scoped(
          Effect.gen(function*() {
            const { run } = yield* open({ isolation })
            const get = stampedeProtect({ ...settings, tags })(load)
            const before = loads.count
            assert.strictEqual(different(yield* run(three(get({ id: "a" })))), objects)
            assert.strictEqual(loads.count, before + 1)
            const [first, ...others] = yield* run(three(get({ id: "a" })))
            assert.strictEqual(different([first, ...others]), objects)
            first.items.push(2)
            for (const { items } of others) assert.strictEqual(items.length, objects === 1 ? 2 : 1)
            // Who reads later has an object of their own, whatever others did to theirs.
            assert.deepStrictEqual((yield* run(get({ id: "a" }))).items, [1])
            assert.deepStrictEqual(Option.getOrThrow(yield* run(get.peek({ id: "a" }))).items, [1])
            assert.strictEqual(loads.count, before + 1)
          })
        )
      )
    }
  }

  it.live("two keys, and two schemas of one key, share nothing", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { run } = yield* open({})
        const get = cacheAside(settings)(load)
        const other = cacheAside({ ...settings, schema: Schema.Struct({ items: Schema.Array(Schema.Number) }) })(load)
        const [a, b] = yield* run(Effect.all([get({ id: "a" }), get({ id: "b" })], { concurrency: "unbounded" }))
        assert.notStrictEqual(a, b)
        const found = yield* run(
          Effect.all([get({ id: "a" }), get({ id: "b" }), get({ id: "a" }), other({ id: "a" })], {
            concurrency: "unbounded"
          })
        )
        assert.strictEqual(found[0], found[2])
        assert.strictEqual(different(found), 3)
        for (const { items } of found) assert.deepStrictEqual(items, [1])
      })
    )
  )

  it.live("getMany gives each caller objects of their own", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { run } = yield* open({})
        const get = cacheAside(settings)(load)
        yield* run(get({ id: "a" }))
        const [first, second] = yield* run(three(CacheClient.use((cache) => cache.getMany(["box:a"], Box))))
        assert.deepStrictEqual(first, second)
        assert.notStrictEqual(Option.getOrThrow(first[0]!), Option.getOrThrow(second[0]!))
      })
    )
  )

  it.live("clone: also in memory, while Redis is away", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const primary = CacheRedis.layer({ port: 1, isolation: "clone", timeout: "100 millis" })
        const { run } = yield* buildClient(CacheFallback.layer({ primary, fallback: CacheMemory.layer() }))
        const get = cacheAside(settings)(load)
        const before = loads.count
        for (let i = 0; i < 3; i++) {
          const box = yield* run(get({ id: "a" }))
          assert.deepStrictEqual(box.items, [1])
          box.items.push(2)
        }
        assert.strictEqual(loads.count, before + 1)
      })
    )
  )

  it.live("clone: who waits alone for a load has what was loaded", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { run } = yield* open({ isolation: "clone" })
        const box = { items: [1] }
        const get = cacheAside(settings)((_: Id) => Effect.succeed(box))
        assert.strictEqual(yield* run(get({ id: "a" })), box)
      })
    )
  )

  it.live("clone: also what never leaves this process, and classes stay classes", () =>
    Effect.scoped(
      Effect.gen(function*() {
        class User extends Schema.Class<User>("User")({ name: Schema.String }) {}
        const { run } = yield* open({ isolation: "clone" })
        const local = memoize({ name: "box" })((_: number) => Effect.succeed({ items: [1] }))
        assert.strictEqual(different(yield* run(three(local(1)))), 3)
        const user = cacheAside({ key: "user", schema: User })(
          Effect.delay(Effect.succeed(new User({ name: "ada" })), 20)
        )
        for (let i = 0; i < 2; i++) {
          const users = yield* run(three(user))
          assert.strictEqual(different(users), 3)
          for (const each of users) assert.instanceOf(each, User)
        }
      })
    )
  )

  withoutSchema((test) => Effect.scoped(Effect.flatMap(open({ isolation: "clone" }), ({ run }) => run(test))))

  describe("while Redis is away", () => {
    withoutSchema((test) => {
      const primary = CacheRedis.layer({ port: 1, isolation: "clone", timeout: "100 millis" })
      const layer = CacheFallback.layer({ primary, fallback: CacheMemory.layer() })
      return Effect.scoped(Effect.flatMap(buildClient(layer), ({ run }) => run(test)))
    })
  })
})
