import { assert, describe, it } from "@effect/vitest"
import { Markers, tagWeight } from "../../../src/stores/memory/markers.ts"

describe("Markers", () => {
  it("ensure keeps what there is, raise never lowers", () => {
    const markers = new Markers(10, 1e6)
    markers.ensure("t", 5)
    markers.ensure("t", 9)
    assert.strictEqual(markers.get("t"), 5)
    markers.raise("t", 7)
    markers.raise("t", 6)
    assert.strictEqual(markers.get("t"), 7)
  })

  it("a tag that entries bear without a marker has none, until one is ensured", () => {
    const markers = new Markers(10, 1e6)
    markers.retain(["t"])
    assert.isUndefined(markers.get("t"))
    markers.ensure("t", 3)
    assert.strictEqual(markers.get("t"), 3)
    assert.strictEqual(markers.idle, 0)
    markers.release(["t"])
    assert.deepStrictEqual([markers.get("t"), markers.idle, markers.size], [3, 1, 1])
    markers.retain(["u"])
    markers.release(["u"])
    assert.strictEqual(markers.size, 1)
  })

  it("the idle markers used longest ago go first, those that are borne stay", () => {
    const markers = new Markers(3, 1e6)
    markers.ensure("borne", 1)
    markers.retain(["borne", "borne"])
    for (const tag of ["a", "b", "c"]) markers.ensure(tag, 1)
    markers.ensure("a", 1)
    markers.ensure("d", 1)
    assert.isUndefined(markers.get("b"))
    assert.deepStrictEqual(
      ["a", "c", "d", "borne"].map((tag) => markers.get(tag)),
      [1, 1, 1, 1]
    )
    markers.release(["borne"])
    assert.strictEqual(markers.idle, 3)
    markers.release(["borne"])
    assert.deepStrictEqual([markers.idle, markers.get("borne"), markers.get("c")], [3, 1, undefined])
    // One release too many does no harm.
    markers.release(["borne", "nobody"])
    assert.strictEqual(markers.idle, 3)
  })

  it("is bounded by the length of tags, too", () => {
    const markers = new Markers(1000, 10 * tagWeight("x".repeat(100)))
    for (let i = 0; i < 100; i++) markers.raise(`${i}`.padEnd(100, "x"), i)
    assert.strictEqual(markers.size, 10)
    markers.raise("y".repeat(100_000), 1)
    assert.strictEqual(markers.size, 0)
    assert.strictEqual(markers.idle, 0)
  })
})
