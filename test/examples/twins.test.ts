/**
 * Every example is a program that checks itself; it must end well on memory and on Redis, and print the same on both.
 */
import { execFile } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { RedisServer } from "../support/redisServer.ts"

const root = new URL("../../", import.meta.url)
const files = readdirSync(new URL("examples/", root))
  .filter((name) => name.endsWith(".ts"))
  .sort()

const run = (file: string, settings: Record<string, string>): Effect.Effect<string> =>
  Effect.promise(() => {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(CACHE_|REDIS_|NODE_OPTIONS|VITEST)/.test(name))
    )
    return new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        ["--conditions=effect-cache-source", `examples/${file}`],
        { cwd: fileURLToPath(root), env: { ...env, ...settings }, timeout: 100_000, killSignal: "SIGKILL" },
        (error, stdout, stderr) =>
          error === null
            ? resolve(stdout)
            : reject(new Error(`${file} ${JSON.stringify(settings)}: ${error.message}\n${stdout}${stderr}`))
      )
    })
  })

layer(RedisServer.layer(), { excludeTestServices: true })("examples", (it) => {
  for (const file of files) {
    it.effect(
      `${file} prints the same on memory and on Redis`,
      () =>
        Effect.gen(function*() {
          const server = yield* RedisServer
          const [memory, redis] = yield* Effect.all(
            [run(file, { CACHE_BACKEND: "memory" }), run(file, { CACHE_BACKEND: "redis", REDIS_URL: server.url })],
            { concurrency: "unbounded" }
          )
          assert.notStrictEqual(memory, "")
          assert.strictEqual(redis, memory)
          // It did run on Redis: what it left there says so.
          if (file.startsWith("level") || file === "manual.ts") {
            assert.include(yield* server.raw("KEYS", `examples:${file.slice(0, -3)}:*`), "examples:")
          }
        }),
      { timeout: 120_000 }
    )
  }
})
