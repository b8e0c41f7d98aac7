/**
 * Takes one rule of docs/protocol.md at a time out of a copy of the sources, and expects that the test of the rule fails,
 * on each backend where the rule applies. A rule whose test passes without it is not tested.
 *
 *     npm run ablations [part of a rule's name]
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { ablations, type Backend, copySources, takeOut, transactionAblations } from "./rules.ts"

const testFile = (backend: Backend) => `test/contract/rules.${backend}.test.ts`

/** Runs the tests of that name; how many passed and failed. */
const runTests = (folder: string, backends: ReadonlyArray<Backend>, name: string) =>
  new Promise<Record<Backend, { passed: number; failed: number }>>((resolve, reject) => {
    // Written there by vitest.config.ts.
    const report = path.join(folder, ".tmp/vitest.json")
    const vitest = path.join(folder, "node_modules/vitest/vitest.mjs")
    const child = spawn(process.execPath, [vitest, "run", ...backends.map(testFile), "-t", name], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, NODE_OPTIONS: "" }
    })
    let problem = ""
    child.stderr.on("data", (data) => {
      problem = (problem + data).slice(-2000)
    })
    child.once("exit", () => {
      const counts = { memory: { passed: 0, failed: 0 }, redis: { passed: 0, failed: 0 } }
      try {
        for (const file of JSON.parse(fs.readFileSync(report, "utf8")).testResults) {
          const backend = file.name.includes(".memory.") ? "memory" : "redis"
          for (const { status } of file.assertionResults) {
            if (status === "passed") counts[backend].passed++
            else if (status === "failed") counts[backend].failed++
          }
        }
        fs.rmSync(report)
        resolve(counts)
      } catch {
        reject(new Error(`the tests did not run:\n${problem}`))
      }
    })
  })

const folder = copySources()
let wrong = 0
try {
  const whole = await runTests(folder, ["memory", "redis"], "rule: ")
  const broken = whole.memory.failed + whole.redis.failed
  console.log(`nothing taken out: ${whole.memory.passed + whole.redis.passed} passed, ${broken} failed`)
  if (broken > 0) wrong++

  for (const { on, patches, rule, test } of [...ablations, ...transactionAblations].filter(({ rule }) =>
    rule.includes(process.argv[2] ?? "")
  )) {
    const backends: ReadonlyArray<Backend> = on === undefined ? ["memory", "redis"] : [on]
    const putBack = takeOut(folder, rule, patches)
    const counts = await runTests(folder, backends, test)
    for (const backend of backends) {
      const { failed, passed } = counts[backend]
      const caught = failed > 0
      if (!caught) wrong++
      console.log(
        `${caught ? "caught" : "NOT CAUGHT"}: without "${rule}" on ${backend}: ${failed} of ${failed + passed} failed`
      )
    }
    putBack()
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
if (wrong > 0) {
  console.error(`${wrong} went wrong`)
  process.exitCode = 1
}
