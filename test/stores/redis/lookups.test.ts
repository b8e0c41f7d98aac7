/**
 * A look-up is told once, whatever becomes of its parts.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { cacheAside } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { guard, guardDefaults } from "../../../src/stores/guard/guard.ts"
import { makeRedisPrimitives } from "../../../src/stores/redis/primitives.ts"
import { TcpProxy } from "../../support/proxy.ts"
import { RedisServer } from "../../support/redisServer.ts"

it.live("one that fails is one failure, however many tags it asks for", () =>
  Effect.gen(function*() {
    const { port } = yield* RedisServer.scoped()
    const proxy = yield* TcpProxy.scoped({ port })
    const primary = yield* makeRedisPrimitives({ url: `redis://127.0.0.1:${proxy.port}`, timeout: "200 millis" })
    const { backend } = yield* guard(primary, guardDefaults, Effect.void)
    yield* backend.read("k")
    proxy.blackhole(true)
    let told = 0
    const exit = yield* Effect.callback<Exit.Exit<unknown, unknown>>((resume) => {
      backend.fast!.lookup!("k", ["a", "b", "c", "d", "e", "f"], (exit) => {
        told++
        resume(Effect.succeed(exit))
      })
    })
    assert.isTrue(Exit.isFailure(exit))
    proxy.blackhole(false)
    yield* Effect.yieldNow
    assert.strictEqual(told, 1)
    // So the primary is trusted still: it is asked, and not held off.
    const again = yield* Effect.result(backend.read("k"))
    assert.notInclude(again._tag === "Failure" ? again.failure.message : "", "held off")
  }).pipe(Effect.scoped)
)

it.live("one that finds what a check throws at is a miss", () =>
  Effect.gen(function*() {
    const { url } = yield* RedisServer.scoped()
    const Pattern = Schema.String.check(Schema.makeFilter((text) => new RegExp(text) instanceof RegExp))
    const options = { key: "pattern:{id}", ttl: "1 minute" } as const
    const before = cacheAside({ ...options, schema: Schema.String })((_: { readonly id: number }) =>
      Effect.succeed("(")
    )
    const after = cacheAside({ ...options, schema: Pattern })((_: { readonly id: number }) => Effect.succeed("x"))
    const answers = Effect.all([before({ id: 1 }), after({ id: 1 }), after({ id: 1 })])
    assert.deepStrictEqual(yield* Effect.provide(answers, CacheRedis.layer({ url })), ["(", "x", "x"])
  }).pipe(Effect.scoped)
)
