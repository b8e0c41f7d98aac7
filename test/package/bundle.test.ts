/**
 * The root entry works where there is no Node: it bundles whole, without a `node:` module and without ioredis.
 */
import { globSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { bundle, root } from "./bundle.ts"

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} kB`

const check = async (name: string, code: string, platform: "browser" | "neutral"): Promise<void> => {
  const { gzip, intruders, size } = await bundle(code, platform)
  assert.deepStrictEqual(intruders, [])
  console.log(`${name} for ${platform}: ${kilobytes(size)} minified, ${kilobytes(gzip)} gzipped`)
}

describe("the root entry", () => {
  const everything = 'import * as all from "effect-cache"\nconsole.log(all)'

  it("bundles for a browser", { timeout: 60_000 }, () => check("everything", everything, "browser"))

  it("bundles for a runtime that names no platform", { timeout: 60_000 }, () =>
    check("everything", everything, "neutral")
  )

  for (const file of globSync("examples/*.ts", { cwd: root }).sort()) {
    const used = [...readFileSync(root + file, "utf8").matchAll(/^import\s*(\{[^}]*\})\s*from\s*"effect-cache"/gm)]
    if (used.length === 0) continue
    it(`bundles what ${file} takes from it`, { timeout: 60_000 }, () =>
      check(file, used.map(([, names]) => `export ${names} from "effect-cache"`).join("\n"), "browser")
    )
  }
})

describe("the check itself", () => {
  it("sees Node's modules, with and without the prefix", async () => {
    const { intruders } = await bundle('import "node:fs"\nimport "net"\nawait import("node:fs/promises")', "browser")
    assert.deepStrictEqual(
      intruders.map((intruder) => intruder.split(" ")[0]),
      ["net", "net", "node:fs", "node:fs", "node:fs/promises", "node:fs/promises"]
    )
  })

  it("sees the driver", async () => {
    const { intruders } = await bundle('import { Redis } from "ioredis"\nconsole.log(Redis)', "browser")
    assert.isTrue(intruders.some((intruder) => intruder.includes("node_modules/ioredis/")))
    assert.isTrue(intruders.some((intruder) => intruder.startsWith("net in ")))
  })

  it("gives a browser no Redis layer for #redis", async () => {
    const { inputs, intruders } = await bundle('console.log(await import("#redis"))', "browser")
    assert.deepStrictEqual(intruders, [])
    assert.include(inputs, "src/platform/noRedis.ts")
  })
})
