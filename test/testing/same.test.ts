import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, HashMap, HashSet, Option } from "effect"
import { same } from "../../src/testing/same.ts"

class Row {
  readonly name: string = "Ada"
}
const row = { name: "Ada" }
const bare = Object.assign(Object.create(null), row)
const nested = (end: unknown): unknown => {
  let value = end
  for (let i = 0; i < 200; i++) value = { value }
  return value
}

describe("same", () => {
  it("finds an instance that became a plain object, and -0, however deep", () => {
    const pairs: ReadonlyArray<readonly [unknown, unknown]> = [
      [new Row(), row],
      [[new Row()], [row]],
      [Option.some(new Row()), Option.some(row)],
      [new Map([["a", { row: new Row() }]]), new Map([["a", { row }]])],
      [new Set([new Row()]), new Set([row])],
      [HashMap.make(["a", new Row()]), HashMap.make(["a", row])],
      [nested(new Row()), nested(row)],
      [-0, 0],
      [{ at: [-0] }, { at: [0] }]
    ]
    assert.deepStrictEqual(
      pairs.map(([value, decoded]) => same(value, decoded)),
      pairs.map(() => false)
    )
  })

  it("takes for the same what is", () => {
    const circle: Record<string, unknown> = { name: "Ada" }
    circle.self = circle
    const pairs: ReadonlyArray<readonly [unknown, unknown]> = [
      [new Row(), new Row()],
      [bare, row],
      [Number.NaN, Number.NaN],
      [-0, -0],
      [new Date(1), new Date(1)],
      [Duration.seconds(1), Duration.nanos(1_000_000_000n)],
      [BigDecimal.fromStringUnsafe("1.0"), BigDecimal.fromStringUnsafe("1")],
      [DateTime.makeUnsafe(0), DateTime.makeUnsafe(0)],
      [HashSet.make(1, 2), HashSet.make(2, 1)],
      [
        new Map<unknown, unknown>([
          [1, row],
          [2, bare]
        ]),
        new Map<unknown, unknown>([
          [1, bare],
          [2, row]
        ])
      ],
      [new Uint8Array([1]), new Uint8Array([1])],
      [{ body: Buffer.from([1]) }, { body: new Uint8Array([1]) }],
      [Array.from({ length: 200_000 }, () => row), Array.from({ length: 200_000 }, () => row)],
      [circle, circle]
    ]
    assert.deepStrictEqual(
      pairs.map(([value, decoded]) => same(value, decoded)),
      pairs.map(() => true)
    )
  })
})
