/**
 * `npm run floors` on small trees: each kind of import that breaks a floor is found, and a clean tree passes.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const script = fileURLToPath(new URL("../../scripts/floors.mjs", import.meta.url))

interface Outcome {
  readonly code: number | null
  readonly lines: ReadonlyArray<string>
  readonly counts: string
}

const run = (...args: ReadonlyArray<string>): Outcome => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })
  assert.strictEqual(stderr, "")
  const lines = stdout.trim().split("\n")
  return { code: status, lines: lines.slice(0, -1), counts: lines.at(-1)! }
}

const manifest = {
  name: "effect-cache",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  imports: { "#redis": { node: "./dist/layers/CacheRedis.js", default: "./src/platform/noRedis.ts" } }
}

/** Runs it on a tree of these files of src/. */
const floors = (files: Readonly<Record<string, string>>): Outcome => {
  const folder = mkdtempSync(path.join(tmpdir(), "floors-"))
  try {
    writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest))
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, "src", name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    return run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const clean = {
  "index.ts": 'export { read } from "./patterns/read.ts"\nexport * from "./CacheKey.ts"\n',
  "patterns/read.ts": 'import { load } from "../engine/contract.ts"\nexport const read = load\n',
  "patterns/call.ts": 'export * from "../engine/moment.ts"\n',
  "layers/assemble.ts": 'export * from "../engine/load.ts"\nexport * from "../stores/memory/map.ts"\n',
  "layers/live.ts": 'export const redis = () => import("#redis")\n',
  "layers/CacheRedis.ts": "export const CacheRedis = 1\n",
  "platform/noRedis.ts": "export const CacheRedis = undefined\n",
  "engine/contract.ts": 'export { load } from "./load.ts"\n',
  "engine/moment.ts": "export const moment = 1\n",
  "engine/load.ts": 'import type { Verdict } from "../protocol/verdict.ts"\nexport const load = (_: Verdict) => 1\n',
  "stores/memory/map.ts": 'import "effect"\nimport { key } from "../../CacheKey.ts"\nexport const map = key\n',
  "protocol/verdict.ts": 'export type Verdict = import("../CacheError.ts").CacheError\n',
  "CacheKey.ts": 'export { text as key } from "./key/text.ts"\n',
  "key/text.ts": '// import { load } from "../engine/load.ts"\nexport const text = \'from "../engine/load.ts"\'\n',
  "CacheError.ts": "export interface CacheError {}\n"
}

describe("npm run floors", () => {
  it("passes a tree whose imports point down, and reads no comment and no string", () => {
    const { code, counts, lines } = floors(clean)
    assert.deepStrictEqual(lines, [])
    // The two ends of `#redis` count, a package does not.
    assert.strictEqual(counts, "15 files, 13 imports: 0 circles, 0 arrows up, 0 aside")
    assert.strictEqual(code, 0)
  })

  it("passes the house as it is", () => {
    const { code, counts, lines } = run()
    assert.deepStrictEqual(lines, [])
    assert.match(counts, /^\d+ files, \d+ imports: 0 circles, 0 arrows up, 0 aside$/)
    assert.strictEqual(code, 0)
  })

  it.each([
    ["a value", 'import { load } from "../engine/load.ts"\nexport const a = load'],
    ["a type", 'import type { load } from "../engine/load.ts"\nexport type A = typeof load'],
    ["a type in place", 'export type A = typeof import("../engine/load.ts").load'],
    ["a dynamic import", 'export const a = () => import("../engine/load.ts")'],
    ["a dynamic import of a template", "export const a = () => import(`../engine/load.ts`)"],
    ["an export from", 'export { load } from "../engine/load.ts"'],
    ["an export of types from", 'export type { load } from "../engine/load.ts"'],
    ["an export of all", 'export * from "../engine/load.ts"'],
    ["an import for its effects", 'import "../engine/load.ts"'],
    ["what is added to a module", 'declare module "../engine/load.ts" {}\nexport {}'],
    ["a reference by path", '/// <reference path="../engine/load.ts" />\nexport {}'],
    ["a reference by types", "/// <reference types='../engine/load.ts' />\nexport {}"]
  ])("finds an import up: %s", (_, text) => {
    const { code, counts, lines } = floors({ ...clean, "observe/told.ts": `\n${text}\n` })
    assert.deepStrictEqual(lines, [
      'src/observe/told.ts:2  observe -> engine  "../engine/load.ts"  points up: engine is above observe'
    ])
    assert.include(counts, "0 circles, 1 arrows up, 0 aside")
    assert.strictEqual(code, 1)
  })

  it("finds an import up by the name of the package, and by a name of its imports", () => {
    const { counts, lines } = floors({
      ...clean,
      "key/own.ts": 'export * from "effect-cache"\nexport const a = () => import("#redis")\n'
    })
    assert.deepStrictEqual(lines, [
      'src/key/own.ts:1  key -> index.ts  "effect-cache"  points up: index.ts is above key',
      'src/key/own.ts:2  key -> layers  "#redis"  points up: layers is above key',
      'src/key/own.ts:2  key -> platform  "#redis"  points up: platform is above key'
    ])
    assert.include(counts, "3 arrows up")
  })

  it("finds a circle by types, and says how it goes", () => {
    const { code, counts, lines } = floors({
      ...clean,
      "engine/a.ts": 'import type { B } from "./b.ts"\nexport interface A {\n  b: B\n}\n',
      "engine/b.ts": 'import { type C } from "./c.ts"\nexport interface B {\n  c: C\n}\n',
      "engine/c.ts": 'export interface C {\n  a: import("./a.ts").A\n}\n'
    })
    assert.deepStrictEqual(lines, ["circle: src/engine/a.ts -> src/engine/b.ts -> src/engine/c.ts -> src/engine/a.ts"])
    assert.include(counts, "1 circles, 0 arrows up, 0 aside")
    assert.strictEqual(code, 1)
  })

  it.each([
    ["engine/wrong.ts", "../stores/memory/map.ts", "engine -> stores", "stores and engine"],
    ["stores/wrong.ts", "../engine/load.ts", "stores -> engine", "engine and stores"],
    ["patterns/wrong.ts", "../layers/live.ts", "patterns -> layers", "layers and patterns"],
    ["entry/wrong.ts", "../CacheKey.ts", "entry -> key", "key and entry"]
  ])("finds rooms of one floor that see each other: %s", (file, name, arrow, rooms) => {
    const { code, counts, lines } = floors({ ...clean, [file]: `import type {} from "${name}"\n` })
    assert.deepStrictEqual(lines, [
      `src/${file}:1  ${arrow}  "${name}"  points aside: ${rooms} are on one floor and do not see each other`
    ])
    assert.include(counts, "0 arrows up, 1 aside")
    assert.strictEqual(code, 1)
  })

  const intoEngine =
    "layers/assemble.ts -> engine/, patterns/ -> engine/contract.ts, patterns/call.ts -> engine/moment.ts, http/ -> engine/contract.ts"
  const intoStores = "layers/ -> stores/, redis/ -> stores/redis/options/, testing/ -> stores/"
  it.each([
    // The two meet in one file.
    ["layers/second.ts", "../engine/load.ts", "layers -> engine", intoEngine],
    ["layers/third.ts", "../engine/contract.ts", "layers -> engine", intoEngine],
    ["patterns/wrong.ts", "../engine/load.ts", "patterns -> engine", intoEngine],
    ["patterns/late.ts", "../engine/moment.ts", "patterns -> engine", intoEngine],
    ["patterns/near.ts", "../stores/memory/map.ts", "patterns -> stores", intoStores],
    ["http/wrong.ts", "../engine/load.ts", "http -> engine", intoEngine],
    ["http/near.ts", "../stores/memory/map.ts", "http -> stores", intoStores],
    ["testing/wrong.ts", "../engine/load.ts", "testing -> engine", intoEngine],
    ["redis/wrong.ts", "../stores/memory/map.ts", "redis -> stores", intoStores]
  ])("finds an import of engine or stores that has no door: %s of %s", (file, name, arrow, doors) => {
    const { code, counts, lines } = floors({ ...clean, [file]: `import type {} from "${name}"\n` })
    assert.deepStrictEqual(lines, [`src/${file}:1  ${arrow}  "${name}"  has no door; there are: ${doors}`])
    assert.include(counts, "0 arrows up, 1 aside")
    assert.strictEqual(code, 1)
  })

  it("lets a layer see a store, and http the contract of the engine", () => {
    const { code, lines } = floors({
      ...clean,
      "layers/CacheMemory.ts": 'export * from "./assemble.ts"\nexport * from "../stores/memory/map.ts"\n',
      "http/cached.ts": 'export * from "../engine/contract.ts"\n',
      "testing/broken.ts": 'export * from "../stores/memory/map.ts"\n'
    })
    assert.deepStrictEqual(lines, [])
    assert.strictEqual(code, 0)
  })

  it("says what it cannot judge, and fails", () => {
    const { code, counts, lines } = floors({
      ...clean,
      "client/lost.ts": "",
      "engine/broken.ts": "export const = 1\n",
      "engine/late.ts": "export const a = (name: string) => import(name)\n",
      "engine/placed.ts": 'import "file:///src/key/text.ts"\nimport "/src/key/text.ts"\n',
      "engine/typo.ts": '/// <reference path="lode.ts" />\nexport * from "./lode.ts"\n'
    })
    assert.strictEqual(lines.length, 7)
    assert.strictEqual(lines[0], "src/client/lost.ts  is in a room that no floor has")
    assert.match(lines[1]!, /^src\/engine\/broken\.ts {2}cannot be read: /)
    assert.strictEqual(lines[2], "src/engine/late.ts:1  imports what only the running program knows")
    assert.deepStrictEqual(lines.slice(3), [
      'src/engine/placed.ts:1  "file:///src/key/text.ts" is a place on one machine',
      'src/engine/placed.ts:2  "/src/key/text.ts" is a place on one machine',
      'src/engine/typo.ts:1  "./lode.ts" is no file of src/',
      'src/engine/typo.ts:2  "./lode.ts" is no file of src/'
    ])
    assert.include(counts, ", 7 unclear")
    assert.strictEqual(code, 1)
  })
})
