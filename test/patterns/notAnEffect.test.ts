/** A loader that returns no effect, as of who has no types: the call dies of it in words. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"
import { cacheAside, CacheMemory, memoize, stampedeProtect, writeAround, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"

const options = { key: "user:{id}", schema: Schema.String } as const

for (const [name, layer] of [
  ["memory", CacheMemory.layer()],
  ["bytes", CacheTest.layer]
] as const) {
  it.effect(`a Promise or a plain value is a defect that says so (${name})`, () =>
    Effect.gen(function*() {
      const patterns: ReadonlyArray<(load: never) => unknown> = [
        cacheAside(options) as never,
        stampedeProtect(options) as never,
        memoize({ key: "user:{id}" }) as never,
        writeThrough(options) as never,
        writeAround(options) as never
      ]
      for (const pattern of patterns) {
        for (const [value, said] of [
          [() => Promise.resolve("a"), "a Promise: use Effect.tryPromise"],
          [() => Promise.reject(new Error("b")), "a Promise: use Effect.tryPromise"],
          [() => "secret", "no effect, but string: use Effect.succeed"],
          [() => undefined, "no effect, but undefined: use Effect.succeed"],
          [() => null, "no effect, but null: use Effect.succeed"]
        ] as const) {
          const call = pattern(value as never) as (params: object) => Effect.Effect<unknown>
          const exit = yield* Effect.exit(call({ id: "1" }))
          assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          assert.strictEqual(String(error), `TypeError: effect-cache: the loader of "user:{id}" returned ${said}`)
        }
      }
    }).pipe(Effect.provide(layer as typeof CacheTest.layer))
  )
}
