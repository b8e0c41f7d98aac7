/**
 * A look-up that goes wrong: the guard tells whoever asked once, and counts once.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { CacheError, Unavailable } from "effect-cache"
import type { FastPath, Lookup } from "../../../src/services/CacheBackend.ts"
import { guard, guardDefaults, type GuardOptions } from "../../../src/stores/guard/guard.ts"
import { makeMemoryPrimitives } from "../../../src/stores/memory/primitives.ts"

type Ask = NonNullable<FastPath["lookup"]>

const gone = new CacheError({
  reason: new Unavailable({ backend: "fake", operation: "read", cause: new Error("gone") })
})
const failed: Exit.Exit<Lookup, CacheError> = Exit.fail(gone)
const found: Exit.Exit<Lookup> = Exit.succeed({ stored: undefined, markers: [] })

/** Memory as a store that needs trips, with this look-up. */
const guarded = (lookup: Ask, options: Partial<GuardOptions> = {}, deadlineMillis?: number | "none") =>
  Effect.gen(function*() {
    const { backend, tags } = yield* makeMemoryPrimitives({})
    const lookupMany: FastPath["lookupMany"] = (keys) =>
      Effect.succeed({ stored: keys.map(() => undefined), markers: [] })
    const primary = {
      tags,
      backend: {
        ...backend,
        deadlineMillis: deadlineMillis === "none" ? undefined : (deadlineMillis ?? 1_000),
        local: undefined,
        fast: { lookup, lookupMany }
      }
    }
    const made = yield* guard(primary, { ...guardDefaults, ...options }, Effect.void)
    const told: Array<Exit.Exit<Lookup, CacheError>> = []
    const ask = () => made.backend.fast?.lookup?.("k", [], (exit) => told.push(exit))
    return { ...made, told, ask }
  })

describe("a look-up, guarded", () => {
  it.effect("that tells twice tells once, and counts once", () =>
    Effect.gen(function*() {
      const twice: Ask = (_key, _tags, done) => {
        done(failed)
        done(failed)
        done(found)
      }
      const { answers, ask, backend, told } = yield* guarded(twice, { failureThreshold: 2 })
      ask()
      assert.deepStrictEqual(told, [failed])
      assert.strictEqual(answers(), 0)
      // Trusted still.
      assert.isUndefined(yield* backend.read("k"))
      ask()
      ask()
      assert.include((yield* Effect.flip(backend.read("k"))).message, "held off")
    }).pipe(Effect.scoped)
  )

  it.effect("that throws is a defect, and no failure of the store", () =>
    Effect.gen(function*() {
      const { ask, backend, told } = yield* guarded(
        () => {
          throw new TypeError("no such key")
        },
        { failureThreshold: 1 }
      )
      ask()
      assert.deepStrictEqual(told, [Exit.die(new TypeError("no such key"))])
      assert.isUndefined(yield* backend.read("k"))
    }).pipe(Effect.scoped)
  )

  it.effect("that throws after it has told has told", () =>
    Effect.gen(function*() {
      const { ask, told } = yield* guarded((_key, _tags, done) => {
        done(found)
        throw new TypeError("too late")
      })
      assert.throws(() => ask(), "too late")
      assert.deepStrictEqual(told, [found])
    }).pipe(Effect.scoped)
  )

  it.effect("that tells after it has thrown is not heard again", () =>
    Effect.gen(function*() {
      let late: (() => void) | undefined
      const { ask, told } = yield* guarded((_key, _tags, done) => {
        late = () => done(found)
        throw new TypeError("no such key")
      })
      ask()
      late!()
      assert.strictEqual(told.length, 1)
      assert.isTrue(Exit.hasDies(told[0]!))
    }).pipe(Effect.scoped)
  )

  it.effect("is not asked while the store is away; one on its way is still told, and counted", () =>
    Effect.gen(function*() {
      const asked: Array<(exit: Exit.Exit<Lookup, CacheError>) => void> = []
      const { answers, ask, told } = yield* guarded((_key, _tags, done) => void asked.push(done), {
        failureThreshold: 1
      })
      ask()
      ask()
      asked[0]!(failed)
      ask()
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(told.length, 2)
      assert.include(String(Exit.isFailure(told[1]!) && told[1].cause), "held off")
      asked[1]!(found)
      assert.strictEqual(told.length, 3)
      assert.strictEqual(answers(), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("is left out of a store whose calls are timed here, because nobody could time it", () =>
    Effect.gen(function*() {
      for (const deadlineMillis of ["none", 60_000] as const) {
        const { backend } = yield* guarded(() => assert.fail("asked"), {}, deadlineMillis)
        assert.deepStrictEqual(Object.keys(backend.fast ?? {}), ["lookupMany"])
      }
    }).pipe(Effect.scoped)
  )
})
