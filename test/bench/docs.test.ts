import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { render } from "../../bench/docs/render.ts"
import { bars, lines } from "../../bench/docs/svg.ts"
import type { Run } from "../../bench/lib/model.ts"
import { workloads } from "../../bench/workloads/index.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const results = `${root}bench/results/full.json`

describe("docs/benchmarks.md", () => {
  // Before a run is committed there is nothing to be right about.
  it.skipIf(!existsSync(results))(
    "is what the generator makes of the committed run; if not: npm run bench:docs",
    () => {
      const run: Run = JSON.parse(readFileSync(results, "utf8"))
      const { charts, markdown } = render(run, workloads)
      assert.strictEqual(readFileSync(`${root}docs/benchmarks.md`, "utf8"), markdown)
      assert.deepStrictEqual(readdirSync(`${root}docs/benchmarks`).sort(), Object.keys(charts).sort())
      for (const [name, svg] of Object.entries(charts)) {
        assert.strictEqual(readFileSync(`${root}docs/benchmarks/${name}`, "utf8"), svg, name)
      }
    }
  )

  it("workloads and groups have ids of their own, and each group's floor is one of its subjects", () => {
    const ids = workloads.map(({ id }) => id)
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const mode of ["short", "full"] as const) {
      const groups = workloads.flatMap((workload) => workload.groups(mode))
      assert.strictEqual(new Set(groups.map(({ id }) => id)).size, groups.length)
      for (const { floor, id, subjects } of groups) {
        assert.isTrue(floor === undefined || subjects.includes(floor), id)
        assert.strictEqual(new Set(subjects).size, subjects.length, id)
      }
    }
  })

  it("every group of the short set is in the full set, with the same floor: else there is nothing to compare it with", () => {
    for (const workload of workloads) {
      const full = new Map(workload.groups("full").map((group) => [group.id, group]))
      for (const group of workload.groups("short")) assert.strictEqual(full.get(group.id)?.floor, group.floor, group.id)
    }
  })
})

describe("charts", () => {
  it("escape their text", () => {
    const svg = bars("<a> & b", [{ label: '"x"', value: 1, from: 1, to: 1, text: "<1>", kind: "ours" }])
    assert.include(svg, "&lt;a&gt; &amp; b")
    assert.include(svg, "&quot;x&quot;")
    assert.notInclude(svg.replace(/<style>[^]*<\/style>/, ""), "<1>")
  })

  it("stay within their frame, whatever the values", () => {
    const svg = bars("wide", [
      { label: "ours", value: 1, from: 0.9, to: 1.1, text: "1", kind: "ours" },
      { label: "floor", value: 0.1, from: 0.1, to: 0.1, text: "0.1", kind: "floor" },
      { label: "slow", value: 1e9, from: 1e9, to: 1e9, text: "1e9", kind: "peer" }
    ])
    for (const [, width] of svg.matchAll(/<rect[^>]* width="([0-9.]+)"/g)) assert.isAtMost(Number(width), 420)
  })

  it("a curve may begin at zero", () => {
    const svg = lines("tags", "tags", "µs", [{ label: "ours", points: [0, 1, 32].map((x) => ({ x, y: 5 + x })) }])
    assert.notInclude(svg, "NaN")
    assert.notInclude(svg, "Infinity")
  })
})
