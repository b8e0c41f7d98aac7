/**
 * What people are warned of, on Redis.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { cacheAside, CacheClient, type CacheServices } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { buildClient, freshNamespace, sharedRedis } from "../support/client.ts"
import { reports } from "./reports.ts"
import { warnings } from "./withoutSchema.ts"

const server = sharedRedis()

const onRedis = <A, E>(test: Effect.Effect<A, E, CacheServices>) =>
  Effect.scoped(
    Effect.gen(function*() {
      const { url } = yield* server
      const { run } = yield* buildClient(CacheRedis.layer({ url, namespace: freshNamespace() }))
      return yield* run(test)
    })
  )

describe("warnings on Redis", () => {
  reports(onRedis)

  it.effect("an entry of the same shape that its schema does not decode is a miss, and one line a minute", () => {
    const { layer, texts } = warnings()
    return onRedis(
      Effect.gen(function*() {
        // Checks are no part of the fingerprint: decoding enforces them.
        const Any = Schema.Struct({ name: Schema.String })
        const Short = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(3)) })
        const client = yield* CacheClient
        yield* client.set("decode:1", { name: "long" }, { schema: Any })
        const find = cacheAside({ key: "decode:{id}", schema: Short })((_: { readonly id: number }) =>
          Effect.succeed({ name: "abc" })
        )
        const peeked = Effect.forEach([1, 2, 3], () => find.peek({ id: 1 }))
        assert.isTrue((yield* peeked).every(Option.isNone))
        assert.strictEqual(texts.length, 1, texts.join("\n"))
        assert.include(texts[0], String.raw`a stored entry of \"decode:{id}\" is not used`)
        assert.include(texts[0], String.raw`length of at most 3 at [\"name\"]`)
        assert.notInclude(texts[0], "long")
        // The load that follows puts it right.
        yield* find({ id: 1 })
        assert.isTrue((yield* peeked).every(Option.isSome))
        assert.deepStrictEqual(yield* client.getMany(["decode:1"], Short), [Option.some({ name: "abc" })])
        assert.strictEqual(texts.length, 1)
      }).pipe(Effect.provide(layer))
    )
  })
})
