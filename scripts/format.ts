/**
 * Formats with Biome, in the house style for generators: `function*() {`, where Biome insists on a space after the star.
 *
 * `node scripts/format.ts [--check] [file ...]`. Without files: everything Biome knows of the repository. Biome works on a copy, so
 * that one run of it does for all files, and none is written that does not change.
 */
import { spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))
const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome")

const args = process.argv.slice(2)
const check = args.includes("--check")
const named = args.filter((arg) => arg !== "--check")
const files = (
  named.length > 0
    ? named.map((file) => relative(root, resolve(file)))
    : globSync(["*.{ts,json}", "{src,test,verify,typetest,examples,bench,scripts}/**/*.{ts,mjs,json}"], {
        cwd: root,
        exclude: (name) => name === "node_modules" || name === "package-lock.json"
      })
).sort()

// Comments and strings that speak of generators lose a space too: harmless, and the next run changes nothing more.
const houseStyle = (text: string): string => text.replace(/\bfunction\* \(/g, "function*(")

const outside = files.find((file) => file.startsWith(".."))
if (outside !== undefined) throw new Error(`${outside} is not in this repository`)

const copies = mkdtempSync(join(tmpdir(), "format-"))
let changed = 0
let status: number | null
try {
  cpSync(join(root, "biome.json"), join(copies, "biome.json"))
  for (const file of files) {
    const copy = join(copies, file)
    mkdirSync(dirname(copy), { recursive: true })
    cpSync(join(root, file), copy)
  }
  const biomes = ["format", "--write", "--no-errors-on-unmatched", "--max-diagnostics=none", "--log-level=error"]
  const run = spawnSync(process.execPath, [biome, ...biomes, "."], { cwd: copies, encoding: "utf8" })
  status = run.status
  // What does not parse is named, and stays as it is.
  if (status !== 0) console.error(run.stdout + run.stderr)
  for (const file of files) {
    const before = readFileSync(join(root, file), "utf8")
    const formatted = readFileSync(join(copies, file), "utf8")
    const after = file.endsWith(".json") ? formatted : houseStyle(formatted)
    if (after === before) continue
    changed++
    console.log(check ? `not formatted: ${file}` : `formatted: ${file}`)
    if (!check) writeFileSync(join(root, file), after)
  }
} finally {
  rmSync(copies, { recursive: true, force: true })
}
console.log(`${files.length} files, ${changed} ${check ? "to format" : "formatted"}`)
process.exitCode = status !== 0 || (check && changed > 0) ? 1 : 0
