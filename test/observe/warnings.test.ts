import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside } from "effect-cache"
import { Said } from "../../src/observe/warnings.ts"
import { inProcess } from "../support/layers.ts"
import { warnings } from "../engine/withoutSchema.ts"

describe("one line a kind a minute", () => {
  it("the first at once, then with the count of what was kept back", () => {
    const said = new Said()
    assert.deepStrictEqual(
      [0, 1, 59_999, 60_000, 60_001, 600_000, 700_000].map((now) => said.due("a", now, false)),
      [0, undefined, undefined, 2, undefined, 1, 0]
    )
    assert.strictEqual(said.due("b", 1, false), 0)
  })

  it("or once and never again", () => {
    const said = new Said()
    assert.deepStrictEqual(
      [0, 1, 60_000, 1e12].map((now) => said.due("a", now, true)),
      [0, undefined, undefined, undefined]
    )
  })

  it("kinds without end are one", () => {
    const said = new Said()
    const lines = Array.from({ length: 1_000 }, (_, i) => said.due(`kind ${i}`, 0, false)).filter((due) => due === 0)
    assert.strictEqual(lines.length, 51)
    assert.strictEqual(said.due("kind 1000", 60_000, false), 949)
  })
})

for (const [name, layer] of inProcess) {
  it.effect(`regions made for each request do not fill the log, on ${name}`, () => {
    const heard = warnings()
    return Effect.gen(function*() {
      for (let i = 0; i < 1_100; i++) {
        const find = cacheAside({ key: `request ${i}:{id}`, schema: Schema.String })((_: { readonly id: string }) =>
          Effect.succeed("")
        )
        yield* find({ id: undefined as never })
      }
      // The last one speaks for all that are counted together.
      assert.strictEqual(heard.texts.length, 1_001)
      assert.include(heard.texts[1_000], "request 1000:{id}")
    }).pipe(Effect.provide(heard.layer), Effect.provide(layer))
  })
}
