/**
 * How often the intent of a transaction is put down.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Intents } from "../../../src/engine/intents.ts"
import type { LoadContext } from "../../../src/engine/land.ts"
import { makeIntend } from "../../../src/engine/transaction/intend.ts"
import { Transaction } from "../../../src/engine/transaction/transaction.ts"
import { makeUnsafe } from "../../../src/region/region.ts"
import type { Intent } from "../../../src/services/CacheBackend.ts"

const noRegion = makeUnsafe({ key: "none", schema: undefined })

it.effect("only what changes it is put down anew: not what is known, nor what has no room in it", () =>
  Effect.gen(function*() {
    const puts: Array<Intent> = []
    const of: Intents["of"] = (_key, token, intent) => ({
      token,
      within: (takeOver) => takeOver(intent),
      put: Effect.sync(() => puts.push(intent) > 0),
      renew: Effect.void,
      drop: Effect.void
    })
    const context = { makeToken: () => "token", defaultLeaseMillis: 5_000 } as Partial<LoadContext> as LoadContext
    const intend = makeIntend(context, { of } as Partial<Intents> as Intents)
    const transaction = new Transaction()
    const tell = (more: Partial<Intent>) =>
      Effect.map(intend(transaction, more, noRegion), () => puts.splice(0).map(({ tags }) => tags.length))

    assert.deepStrictEqual(yield* tell({ tags: ["0"] }), [1])
    assert.deepStrictEqual(yield* tell({ tags: ["0"] }), [])
    assert.deepStrictEqual(yield* tell({ keys: Array.from({ length: 2_000 }, (_, i) => `key${i}`) }), [1])
    assert.deepStrictEqual(yield* tell({ keys: ["another"] }), [])
    // Patterns and tags go before keys.
    assert.deepStrictEqual(yield* tell({ patterns: ["p:*"] }), [1])
    assert.deepStrictEqual(yield* tell({ tags: Array.from({ length: 1_500 }, (_, i) => `${i}`) }), [1_000])
    assert.deepStrictEqual(yield* tell({ tags: ["another"] }), [])
    assert.deepStrictEqual(yield* tell({ patterns: ["q:*"] }), [])
  })
)
