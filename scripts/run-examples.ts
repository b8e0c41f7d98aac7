/**
 * Runs every program at the top of `examples/` against the sources, on memory and on a Redis that it starts: each checks itself, must
 * end well on both, and print the same. Prints what a failing one printed.
 */
import { spawn } from "node:child_process"
import { readdirSync } from "node:fs"
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
  /** What went wrong, in its own words. */
  readonly errors: string
}

const settings = /^(CACHE_|REDIS_)/

const run = (file: string, env: Record<string, string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const inherited = Object.entries(process.env).filter(([name]) => !settings.test(name))
    const child = spawn(process.execPath, ["--conditions=effect-cache-source", file], {
      cwd: fileURLToPath(root),
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMillis,
      killSignal: "SIGKILL"
    })
    let output = ""
    let errors = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
    child.on("error", (error) => resolve({ ok: false, output, errors: String(error) }))
    child.on("close", (code, signal) =>
      resolve({ ok: code === 0, output, errors: `${errors}\nended with ${signal ?? `code ${code}`}` })
    )
  })

/** What is wrong with a pair of runs. */
const problemOf = (memory: Outcome, redis: Outcome, stored: string): string | undefined => {
  if (!memory.ok) return `on memory: ${memory.output}${memory.errors}`
  if (!redis.ok) return `on Redis: ${redis.output}${redis.errors}`
  if (memory.output === "") return "printed nothing"
  if (memory.output !== redis.output) return `on memory: ${memory.output}\non Redis: ${redis.output}`
  return stored === "" ? "left nothing on Redis: did it run there?" : undefined
}

const leavesKeys = (file: string): boolean => /\/(level|manual)/.test(file)

const program = Effect.gen(function*() {
  let passed = 0
  let failed = 0
  const server = yield* RedisServer
  for (const file of files) {
    const started = process.hrtime.bigint()
    const [memory, redis] = yield* Effect.promise(() =>
      Promise.all([
        run(file, { CACHE_BACKEND: "memory" }),
        run(file, { CACHE_BACKEND: "redis", REDIS_URL: server.url })
      ])
    )
    const name = file.slice("examples/".length, -".ts".length)
    const stored = leavesKeys(file) ? yield* server.raw("KEYS", `examples:${name}:*`) : " "
    const problem = problemOf(memory, redis, stored)
    const millis = Number((process.hrtime.bigint() - started) / 1_000_000n)
    console.log(`${problem === undefined ? "pass" : "FAIL"}  ${file}  ${millis} ms`)
    if (problem === undefined) passed++
    else {
      failed++
      console.error(problem)
    }
  }
  if (files.length === 0) {
    failed = 1
    console.error("FAIL  there is no examples/*.ts")
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed
})

process.exitCode = (await Effect.runPromise(Effect.provide(program, RedisServer.layer()))) === 0 ? 0 : 1
