import { assert, describe, it } from "@effect/vitest"
import { compare } from "../../bench/lib/compare.ts"
import { caseResult } from "../../bench/lib/measure.ts"
import type { GroupResult, Run, Unit } from "../../bench/lib/model.ts"

const group = (id: string, ours: number, floor: number, unit: Unit = "ns"): GroupResult => {
  const timed = unit === "ns"
  return {
    id,
    workload: "memory-hit",
    title: id,
    unit,
    clock: "cpu",
    floor: timed ? "floor" : null,
    curve: null,
    cases: [
      caseResult("floor", [{ value: floor }], timed ? [{ value: floor }] : undefined),
      caseResult("effect-cache", [{ value: ours }], timed ? [{ value: floor }] : undefined),
      caseResult("keyv", [{ value: ours * floor }], timed ? [{ value: floor }] : undefined)
    ]
  }
}

const run = (groups: ReadonlyArray<GroupResult>): Run => ({
  format: 1,
  date: "2026-01-01T00:00:00.000Z",
  mode: "short",
  seconds: 1,
  machine: { cpu: "", cores: 2, memoryGb: 1, os: "", node: "", redis: "" },
  versions: {},
  groups
})

describe("a run beside the committed one", () => {
  it("compares ratios: a machine twice as slow loses nothing", () => {
    const { changes, losses } = compare(run([group("a", 20, 10)]), run([group("a", 40, 20)]))
    assert.strictEqual(changes.length, 1)
    assert.deepStrictEqual(losses, [])
  })

  it("reports what lost more than a quarter, and ours only", () => {
    const { losses } = compare(
      run([group("a", 20, 10), group("b", 20, 10)]),
      run([group("a", 26, 10), group("b", 24, 10)])
    )
    assert.deepStrictEqual(
      losses.map(({ group, subject }) => [group, subject]),
      [["a", "effect-cache"]]
    )
    assert.closeTo(losses[0]!.loss, 0.3, 1e-9)
  })

  it("sizes are compared as they are, and fewer hits are a loss", () => {
    assert.strictEqual(compare(run([group("a", 100, 1, "bytes")]), run([group("a", 130, 1, "bytes")])).losses.length, 1)
    assert.strictEqual(compare(run([group("a", 60, 1, "share")]), run([group("a", 40, 1, "share")])).losses.length, 1)
    assert.strictEqual(compare(run([group("a", 40, 1, "share")]), run([group("a", 60, 1, "share")])).losses.length, 0)
  })

  it("times without a floor are not compared", () => {
    assert.strictEqual(compare(run([group("a", 1, 1, "ms")]), run([group("a", 9, 1, "ms")])).changes.length, 0)
  })

  it("names what has nothing to compare with", () => {
    assert.deepStrictEqual(compare(run([]), run([group("a", 1, 1)])).missing, ["a effect-cache"])
  })
})
