/**
 * Runs the type tests of `typetest/` with the TypeScript 6 that is installed there, and looks at what the compiler says of mistakes
 * (`type-messages.ts`), at what editors offer (`type-completions.ts`) and at declarations (`type-declarations.ts`), unless one of the
 * tests is named.
 *
 * tstyche needs the JavaScript API of the compiler, which TypeScript 7 no longer has, and would fetch one from the
 * network otherwise. It is nested below `typetest/` so that its `tsc` never takes the place of the project's own.
 */
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { checkCompletions } from "./type-completions.ts"
import { checkDeclarations } from "./type-declarations.ts"
import { checkMessages } from "./type-messages.ts"

const root = new URL("../", import.meta.url)
const fromTypetest = createRequire(new URL("typetest/package.json", root))
const fromHere = createRequire(import.meta.url)

const child = spawn(
  process.execPath,
  [fromHere.resolve("tstyche/package.json").replace(/package\.json$/, "dist/bin.js"), ...process.argv.slice(2)],
  {
    cwd: root,
    env: {
      ...process.env,
      TSTYCHE_TYPESCRIPT_MODULE: pathToFileURL(fromTypetest.resolve("typescript")).href
    },
    stdio: ["inherit", "pipe", "inherit"]
  }
)

let output = ""
child.stdout.on("data", (chunk: Buffer) => {
  output += chunk.toString()
  process.stdout.write(chunk)
})

const count = (line: string, outcome: string): number =>
  Number(new RegExp(`^${line}:.*?(\\d+) ${outcome}`, "m").exec(stripVTControlCharacters(output))?.[1] ?? 0)

const none = { passed: 0, failed: 0 }
const closed = new Promise<number | null>((resolve) => void child.on("close", resolve))

// tstyche runs meanwhile, and the compilers that write declarations while completions are asked for.
const all = process.argv.length === 2
const messages = all ? await checkMessages() : none
const declaring = all ? checkDeclarations() : none
const offers = all ? checkCompletions() : none
const declared = await declaring
const code = await closed
const passed = count("Tests", "passed") + messages.passed + offers.passed + declared.passed
// A file that does not compile fails no test: count the file then.
const failed =
  Math.max(count("Tests", "failed"), count("Test files", "failed"), code === 0 ? 0 : 1) +
  messages.failed +
  offers.failed +
  declared.failed
const empty = passed === 0 && failed === 0
if (empty) console.error("no type test ran")
mkdirSync(new URL(".tmp/", root), { recursive: true })
writeFileSync(new URL(".tmp/typetest.json", root), JSON.stringify({ passed, failed: empty ? 1 : failed }))
process.exitCode = failed > 0 || empty ? 1 : (code ?? 1)
