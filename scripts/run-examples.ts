/**
 * Runs every program at the top of `examples/`, one after the other, against the sources; on memory, or with the
 * `REDIS_URL` of a temporary server when the file names that variable. Prints what a failing one printed.
 */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { RedisServer } from "../test/support/redisServer.ts"

const root = new URL("../", import.meta.url)
const timeoutMillis = 120_000

const files = readdirSync(new URL("examples/", root), { withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => `examples/${entry.name}`)
  .sort()

interface Outcome {
  readonly ok: boolean
  readonly output: string
}

const run = (file: string, env: Record<string, string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--conditions=effect-cache-source", file], {
      cwd: fileURLToPath(root),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMillis,
      killSignal: "SIGKILL"
    })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.on("error", (error) => resolve({ ok: false, output: String(error) }))
    child.on("close", (code, signal) =>
      resolve({ ok: code === 0, output: code === 0 ? output : `${output}\nended with ${signal ?? `code ${code}`}` })
    )
  })

const needsRedis = (file: string): boolean => readFileSync(new URL(file, root), "utf8").includes("REDIS_URL")

const program = Effect.gen(function*() {
  let passed = 0
  let failed = 0
  for (const file of files) {
    const started = process.hrtime.bigint()
    const outcome = yield* needsRedis(file)
      ? Effect.scoped(
          Effect.flatMap(RedisServer.scoped(), (server) =>
            Effect.promise(() => run(file, { REDIS_URL: server.url, CACHE_BACKEND: "redis" }))
          )
        )
      : Effect.promise(() => run(file, { CACHE_BACKEND: "memory" }))
    const millis = Number((process.hrtime.bigint() - started) / 1_000_000n)
    console.log(`${outcome.ok ? "pass" : "FAIL"}  ${file}  ${millis} ms`)
    if (outcome.ok) passed++
    else {
      failed++
      console.error(outcome.output)
    }
  }
  if (files.length === 0) {
    failed = 1
    console.error("FAIL  there is no examples/*.ts")
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed
})

process.exitCode = (await Effect.runPromise(program)) === 0 ? 0 : 1
