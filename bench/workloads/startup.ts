/**
 * What it costs to load the library, and how large it is.
 */
import { execFile } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { brotliCompressSync } from "node:zlib"
import { build } from "esbuild"
import { caseResult } from "../lib/measure.ts"
import type { GroupResult } from "../lib/model.ts"
import type { Workload } from "../lib/workload.ts"

const run = promisify(execFile)
const root = fileURLToPath(new URL("../..", import.meta.url))
// A build of its own: `dist` belongs to whoever works in this checkout.
const folder = `${root}.tmp/bench-dist`

const entries: Readonly<Record<string, string>> = {
  "effect-cache": "src/index.ts",
  "effect-cache/redis": "src/redis/index.ts",
  "effect-cache/http": "src/http/index.ts",
  "effect-cache/testing": "src/testing/index.ts"
}

const prepare = async (): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  copyFileSync(`${root}package.json`, `${folder}/package.json`)
  const tsc = `${root}node_modules/.bin/tsc`
  await run(
    tsc,
    [
      "-p",
      `${root}tsconfig.build.json`,
      "--outDir",
      `${folder}/dist`,
      "--noCheck",
      "--declaration",
      "false",
      "--declarationMap",
      "false"
    ],
    { cwd: root }
  )
  if (!existsSync(`${folder}/dist/index.js`)) throw new Error("the build for the startup figures left no index.js")
}

/** Milliseconds to import a module in a process of its own, which has compiled nothing before. */
const { NODE_COMPILE_CACHE: _, ...env } = process.env

const importMillis = async (name: string): Promise<number> => {
  const code = `const t = performance.now(); await import(${JSON.stringify(name)}); console.log(performance.now() - t)`
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", code], { cwd: folder, env })
  return Number(stdout)
}

const bundled = async (file: string, external: ReadonlyArray<string>): Promise<number> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [file],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "es2023",
    conditions: ["effect-cache-source"],
    external: [...external],
    // ioredis asks for modules that it can do without.
    logLevel: "silent",
    write: false
  })
  return brotliCompressSync(outputFiles[0]!.contents).length
}

const sizes = async (): Promise<GroupResult> => ({
  id: "startup/size",
  workload: "startup",
  title: "bundled, minified, compressed with brotli; effect and ioredis left out",
  unit: "bytes",
  clock: "wall",
  floor: null,
  curve: null,
  cases: await Promise.all(
    Object.entries(entries).map(async ([subject, file]) => {
      const value = await bundled(file, ["effect", "effect/*", "ioredis", "#redis"])
      return caseResult(subject, [{ value, facts: { "with effect and ioredis": await bundled(file, []) } }], undefined)
    })
  )
})

export const startup: Workload = {
  id: "startup",
  title: "Startup and size",
  text: "Milliseconds of `import()` in a fresh process, beside importing `effect`, which the library needs anyway. Sizes are counted, not timed.",
  redis: false,
  groups: () => [
    {
      id: "startup/import",
      title: "import in a fresh process",
      unit: "ms",
      clock: "wall",
      floor: "effect",
      subjects: ["effect", "ioredis", ...Object.keys(entries)],
      params: {}
    }
  ],
  prepare,
  count: async () => [await sizes()],
  open: async ({ subject }) => {
    // The first one finds cold files.
    await importMillis(subject)
    return { kind: "sample", sample: async () => ({ value: await importMillis(subject) }) }
  }
}
