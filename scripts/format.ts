/**
 * Formats with Biome, in the house style for generators: `function*() {`, where Biome insists on a space after the star.
 *
 * `node scripts/format.ts [--check] [file ...]`. Without files: everything Biome knows of the repository.
 */
import { execFile } from "node:child_process"
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))
const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome")

const args = process.argv.slice(2)
const check = args.includes("--check")
const named = args.filter((arg) => arg !== "--check")
const files =
  named.length > 0
    ? named
    : globSync(["*.{ts,json}", "{src,test,verify,typetest,examples,bench,scripts}/**/*.{ts,mjs,json}"], {
        cwd: root,
        exclude: (name) => name === "node_modules" || name === "package-lock.json"
      })

const formatted = (file: string, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [biome, "format", `--stdin-file-path=${file}`],
      { cwd: root, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(`${file}: ${stderr}`)))
    )
    child.stdin?.end(text)
  })

// Comments and strings that speak of generators lose a space too: harmless, and the next run changes nothing more.
const houseStyle = (text: string): string => text.replace(/\bfunction\* \(/g, "function*(")

let changed = 0
let broken = 0
const queue = [...files].sort()
const worker = async (): Promise<void> => {
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const path = fileURLToPath(new URL(file, new URL("../", import.meta.url)))
    const before = readFileSync(path, "utf8")
    try {
      const biomes = await formatted(file, before)
      const after = !file.endsWith(".json") ? houseStyle(biomes) : biomes
      if (after === before) continue
      changed++
      console.log(check ? `not formatted: ${file}` : `formatted: ${file}`)
      if (!check) writeFileSync(path, after)
    } catch (error) {
      broken++
      console.error(error instanceof Error ? error.message : String(error))
    }
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, worker))
console.log(`${files.length} files, ${changed} ${check ? "to format" : "formatted"}`)
process.exitCode = broken > 0 || (check && changed > 0) ? 1 : 0
