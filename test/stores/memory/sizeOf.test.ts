import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { sizeOf } from "../../../src/stores/memory/sizeOf.ts"

const between = (value: unknown, low: number, high: number) => {
  const size = sizeOf(value)
  assert.isAtLeast(size, low)
  assert.isAtMost(size, high)
}

describe("sizeOf", () => {
  it("counts what values hold", () => {
    for (const value of [undefined, null, 1, true, Symbol("s")]) between(value, 0, 32)
    between("x".repeat(1000), 2000, 2100)
    between(new Uint8Array(5000), 5000, 5100)
    between(new Float64Array(1000), 8000, 8100)
    between(new ArrayBuffer(5000), 5000, 5100)
    between(new DataView(new ArrayBuffer(5000)), 5000, 5100)
    between({ a: "x".repeat(500), b: ["y".repeat(500)] }, 2000, 2300)
    between(new Map([["k".repeat(500), "v".repeat(500)]]), 2000, 2300)
    between(new Set(["k".repeat(500), "v".repeat(500)]), 2000, 2300)
    between(10n ** 1000n, 400, 500)
    between(-(10n ** 1000n), 400, 500)
    between(1n, 8, 32)
    between(new Date(), 16, 100)
    between(new Error("e"), 1000, 2000)
    between(/abc/, 16, 200)
    between(Option.some("x".repeat(1000)), 2000, 2300)
    between(() => 1, 16, 100)
    class Point {
      readonly name = "n".repeat(1000)
    }
    between(new Point(), 2000, 2200)
    between(Array.from({ length: 1000 }), 8000, 8100)
  })

  it("counts a shared object once, and ends in a cycle", () => {
    const shared = { text: "x".repeat(1000) }
    between([shared, shared, shared], 2000, 2300)
    const cycle: { self?: unknown; list: Array<unknown> } = { list: [] }
    cycle.self = cycle
    cycle.list.push(cycle, cycle.list)
    between(cycle, 1, 300)
  })

  it("estimates what is too big to look at", () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => ({ id: i, name: `name ${i}`.padEnd(20) }))
    const exact = 100_000 * (sizeOf(rows[0]) + 8)
    between(rows, exact * 0.9, exact * 1.1)
    between(
      Array.from({ length: 100_000 }, () => "x".repeat(10)),
      4_000_000,
      5_000_000
    )
    const map = new Map(Array.from({ length: 50_000 }, (_, i) => [`key ${i}`, i]))
    between(map, 50_000 * 60, 50_000 * 120)
    // The end of a list counts as much as its beginning.
    const uneven = Array.from({ length: 100_000 }, (_, i) => (i < 50_000 ? "" : "x".repeat(100)))
    between(uneven, 10e6, 15e6)
    const wide = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, "x".repeat(10)]))
    between(wide, 30_000 * 40, 30_000 * 80)
  })

  it("takes deep values without a stack", () => {
    let deep: unknown = null
    for (let i = 0; i < 200_000; i++) deep = [deep]
    between(deep, 10_000, 100_000_000)
  })

  it("runs no getters, and never throws", () => {
    let ran = 0
    between(
      Object.defineProperty({}, "x", {
        enumerable: true,
        get: () => {
          ran++
          throw new Error("getter")
        }
      }),
      1,
      200
    )
    assert.strictEqual(ran, 0)
    const angry = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("trap")
        },
        getPrototypeOf: () => {
          throw new Error("trap")
        }
      }
    )
    between({ angry, list: [angry] }, 1, 1000)
    const { proxy, revoke } = Proxy.revocable([], {})
    revoke()
    between([proxy], 1, 500)
    between(Object.create(Map.prototype), 1, 500)
    between(Object.create(null), 1, 500)
    const liar = new Proxy([], { get: (_, key) => (key === "length" ? 1e15 : undefined) })
    assert.isTrue(sizeOf(liar) > 0)
    between(structuredClone(new Error("e")), 1, 4000)
    const buffer = new ArrayBuffer(8)
    structuredClone(buffer, { transfer: [buffer] })
    between(new Uint8Array(0), 1, 200)
    between(buffer, 1, 200)
  })
})
