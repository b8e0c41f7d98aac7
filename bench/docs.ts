/**
 * `npm run bench:docs`: docs/benchmarks.md and its charts, from the committed run.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { render } from "./docs/render.ts"
import type { Run } from "./lib/model.ts"
import { workloads } from "./workloads/index.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const file = `${root}bench/results/full.json`

if (!existsSync(file)) {
  process.stderr.write("there is no bench/results/full.json; npm run bench:publish makes it\n")
  process.exit(1)
}
const run: Run = JSON.parse(readFileSync(file, "utf8"))
const { charts, markdown } = render(run, workloads)
const folder = `${root}docs/benchmarks`
mkdirSync(folder, { recursive: true })
// Charts of groups that are no more.
for (const name of readdirSync(folder)) if (name.endsWith(".svg") && !(name in charts)) rmSync(`${folder}/${name}`)
for (const [name, svg] of Object.entries(charts)) writeFileSync(`${folder}/${name}`, svg)
writeFileSync(`${root}docs/benchmarks.md`, markdown)
process.stdout.write(`docs/benchmarks.md and ${Object.keys(charts).length} charts\n`)
