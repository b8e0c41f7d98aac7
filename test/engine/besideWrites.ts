/**
 * Reads that wait beside several writes of their key.
 */
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { CacheRegion, stampedeProtect, writeThrough } from "effect-cache"
import { maxListed } from "../../src/protocol/lease.ts"
import { type Client, makeGate } from "../support/client.ts"

const patience = { schema: Schema.Number, ttl: "1 minute", waitTimeout: "1 hour", lockTtl: "1 hour" } as const

const Row = CacheRegion.make({ key: "row:{id}", schema: Schema.Number, ttl: "1 minute" })

export const besideWrites = (open: Effect.Effect<readonly [Client, Client], unknown, Scope.Scope>): void => {
  it.effect("who waits for a write does not wait for those that came after it", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const [client] = yield* open
        const gates = [makeGate<number>(), makeGate<number>()] as const
        const write = writeThrough(Row)(({ which }: { readonly id: string; readonly which: 0 | 1 }) =>
          gates[which].pass(which)
        )
        const read = stampedeProtect({ key: "row:{id}", ...patience })((_: { readonly id: string }) =>
          Effect.succeed(7)
        )
        const first = yield* Effect.forkChild(client.run(write({ id: "x", which: 0 })))
        yield* gates[0].reached
        const reader = yield* Effect.forkChild(client.run(read({ id: "x" })))
        yield* client.settle
        assert.isUndefined(reader.pollUnsafe(), "it does not wait for the write that is there")
        const second = yield* Effect.forkChild(client.run(write({ id: "x", which: 1 })))
        yield* gates[1].reached
        yield* gates[0].open
        yield* Fiber.join(first)
        // A poll, if no hint came.
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(reader), 7)
        yield* gates[1].open
        yield* Fiber.join(second)
        assert.strictEqual(yield* client.inFlight, 0)
      })
    )
  )

  for (const [count, what] of [
    [10, "some"],
    [maxListed + 12, "more than a lease lists"]
  ] as const) {
    it.effect(`writes of a row of which one needs a load that needs the row: ${what}`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const [client] = yield* open
          const row = stampedeProtect({ key: "row:{id}", ...patience })((_: { readonly id: string }) =>
            Effect.succeed(1)
          )
          const list = stampedeProtect({ key: "list:{id}", ...patience })(({ id }: { readonly id: string }) =>
            row({ id })
          )
          let begun = 0
          const all = yield* Deferred.make<void>()
          const gate = makeGate<number>()
          const write = writeThrough(Row)(({ n }: { readonly id: string; readonly n: number }) =>
            Effect.gen(function*() {
              if (++begun === count) yield* Deferred.succeed(all, undefined)
              yield* Deferred.await(all)
              // The last to come.
              return n === count - 1 ? yield* Effect.andThen(gate.pass(n), list({ id: "x" })) : n
            })
          )
          const writers = yield* Effect.forkChild(
            client.run(
              Effect.all(
                Array.from({ length: count }, (_, n) => write({ id: "x", n })),
                { concurrency: "unbounded", discard: true }
              )
            )
          )
          yield* gate.reached
          const reader = yield* Effect.forkChild(client.run(list({ id: "x" })))
          yield* client.settle
          yield* gate.open
          yield* Fiber.join(writers)
          yield* TestClock.adjust("1 second")
          assert.strictEqual(yield* Fiber.join(reader), 1)
          assert.strictEqual(yield* client.inFlight, 0)
        })
      )
    )
  }
}
