/**
 * What is heard of the end of a transaction by its span, and what is not.
 */
import { assert, describe } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import { CacheMemory } from "effect-cache"
import { buildClient } from "../../support/client.ts"
import { test } from "./setup.ts"

const open = buildClient(CacheMemory.layer(), { lockTtl: "200 millis" })

const mine = Tracer.make({ span: (options) => Tracer.nativeTracer.span(options) })
const frozen = Tracer.make({
  span: (options) => {
    const span = Tracer.nativeTracer.span(options)
    const { annotations, attributes, kind, links, name, parent, sampled, spanId, status, traceId } = span
    return Object.freeze({
      _tag: "Span",
      ...{ annotations, attributes, kind, links, name, parent, sampled, spanId, status, traceId },
      attribute: (key, value) => span.attribute(key, value),
      event: (name, at, attributes) => span.event(name, at, attributes),
      end: (at, exit) => span.end(at, exit),
      addLinks: (more) => span.addLinks(more)
    } satisfies Tracer.Span)
  }
})

const ways: ReadonlyArray<readonly [string, <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>]> = [
  ["no tracer", Effect.withTracerEnabled(false)],
  ["a tracer of its own", Effect.withTracer(mine)],
  ["frozen spans", Effect.withTracer(frozen)],
  ["a span that hides those of the transaction", (self) => self]
]

for (const [name, traced] of ways) {
  describe(`with ${name}`, () => {
    const hidden = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      name.includes("hides") ? Effect.withSpan(self, "root", { root: true }) : self

    test(open, "committed: filled", ({ begin, peek, put, transaction }) =>
      Effect.gen(function*() {
        yield* begin("a", 1)
        yield* traced(transaction(hidden(put({ id: "a", n: 7 }))))
        assert.strictEqual(yield* peek("a"), 7)
      })
    )

    test(open, "rolled back: the lease ends, at once or by its end", ({ begin, isFree, put, read, transaction }) =>
      Effect.gen(function*() {
        yield* begin("a", 1)
        yield* Effect.exit(traced(transaction(hidden(Effect.andThen(put({ id: "a", n: 7 }), Effect.fail("no"))))))
        assert.strictEqual(yield* read("a"), 1)
        yield* isFree("a")
      })
    )

    test(open, "only savepoints are seen", ({ begin, isFree, put, read, savepoint, transaction }) =>
      Effect.gen(function*() {
        yield* begin("a", 1)
        yield* traced(
          transaction(
            Effect.exit(savepoint(hidden(Effect.andThen(put({ id: "a", n: 7 }), Effect.fail("rolled back")))))
          )
        )
        assert.strictEqual(yield* read("a"), 1)
        yield* isFree("a")
        yield* traced(transaction(savepoint(hidden(put({ id: "a", n: 7 })))))
        assert.strictEqual(yield* read("a"), 7)
        yield* isFree("a")
      })
    )
  })
}
