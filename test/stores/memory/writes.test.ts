/** The lease of writes in memory: what it says is what `protocol/lease.ts` says, but that it knows all of its writes. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { asWriteToken, isWrite, joined, left, maxListed, voided } from "../../../src/protocol/lease.ts"
import { makeMemoryPrimitives } from "../../../src/stores/memory/primitives.ts"
import { write } from "../../support/primitives.ts"

const ttl = 60_000
const tokens = Array.from({ length: maxListed + 2 }, (_, i) => asWriteToken(`${i}`))
const [one, two, three] = tokens as [string, string, string]

it.effect("what the lease says is what the functions say", () =>
  Effect.gen(function*() {
    const { backend } = yield* makeMemoryPrimitives({})
    const said = () => backend.local!.holder("k")
    yield* backend.takeOver("k", one, ttl, "write")
    assert.strictEqual(said(), one)
    let expected = joined(one, two)
    yield* backend.takeOver("k", two, ttl, "write")
    assert.strictEqual(said(), expected)
    yield* backend.remove(["k"])
    assert.strictEqual(said(), (expected = voided(expected)))
    yield* backend.takeOver("k", three, ttl, "write")
    assert.strictEqual(said(), (expected = joined(expected, three)))
    yield* backend.takeOver("k", "set", ttl, "set")
    assert.strictEqual(said(), (expected = voided(expected)))
    yield* backend.clear
    assert.strictEqual(said(), (expected = voided(expected)))
    yield* backend.release("k", two, "keep")
    assert.strictEqual(said(), (expected = left(expected, two)!))
    yield* backend.release("k", one, "unlink")
    assert.strictEqual(said(), left(expected, one))
    yield* backend.release("k", three, "unlink")
    assert.isUndefined(said())
  })
)

it.effect("of more writes than are listed ends with the last of them", () =>
  Effect.gen(function*() {
    const { backend } = yield* makeMemoryPrimitives({})
    for (const token of tokens) yield* backend.takeOver("k", token, ttl, "write")
    assert.strictEqual(backend.local!.holder("k")!.split(",").length, maxListed)
    for (const token of tokens.toReversed()) {
      assert.isTrue(isWrite(backend.local!.holder("k")!))
      assert.isFalse(yield* backend.fill("k", token, write(backend, 1), "unlink"))
    }
    assert.isUndefined(backend.local!.holder("k"))
  })
)
