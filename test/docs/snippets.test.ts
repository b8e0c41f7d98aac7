/**
 * Runs and type-checks what the documentation shows. See `snippets.ts` for how blocks are marked.
 */
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { RedisServer } from "../support/redisServer.ts"
import { collect, diagnosticsOf, folder, fromMarkdown, located, moduleOf, write } from "./snippets.ts"

const modules = write(collect())

const tsc = (project: string): Promise<{ readonly ok: boolean; readonly output: string }> =>
  new Promise((resolve) => {
    const bin = createRequire(import.meta.url)
      .resolve("typescript/package.json")
      .replace(/package\.json$/, "bin/tsc")
    execFile(
      process.execPath,
      [bin, "-p", project, "--noEmit", "--pretty", "false"],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => resolve({ ok: error === null, output: stdout + stderr })
    )
  })

describe("documentation", () => {
  it("type-checks", { timeout: 120_000 }, async () => {
    if (modules.length === 0) return
    const { ok, output } = await tsc(folder)
    assert.deepStrictEqual(diagnosticsOf(modules, output), [])
    // Errors in the sources are for `npm run check`; a compiler that says nothing at all did not run.
    assert.isTrue(ok || output.includes("error TS"), output)
  })

  describe("runs in memory", () => {
    const before = process.env["CACHE_BACKEND"]
    beforeAll(() => {
      process.env["CACHE_BACKEND"] = "memory"
    })
    afterAll(() => {
      if (before === undefined) delete process.env["CACHE_BACKEND"]
      else process.env["CACHE_BACKEND"] = before
    })

    for (const module of modules.filter(({ snippet }) => snippet.run && !snippet.redis)) {
      it(`${module.snippet.file}:${module.snippet.line}`, () =>
        import(/* @vite-ignore */ module.path).then(
          () => undefined,
          (error) => {
            throw located(module, error)
          }
        ))
    }
  })

  const onRedis = modules.filter(({ snippet }) => snippet.run && snippet.redis)
  describe.runIf(onRedis.length > 0)("runs on Redis", () => {
    const scope = Scope.makeUnsafe()
    const before = process.env["REDIS_URL"]
    beforeAll(async () => {
      const server = await Effect.runPromise(Scope.provide(RedisServer.scoped(), scope))
      process.env["REDIS_URL"] = server.url
    })
    afterAll(async () => {
      if (before === undefined) delete process.env["REDIS_URL"]
      else process.env["REDIS_URL"] = before
      await Effect.runPromise(Scope.close(scope, Exit.void))
    })

    for (const module of onRedis) {
      it(`${module.snippet.file}:${module.snippet.line}`, () =>
        import(/* @vite-ignore */ module.path).then(
          () => undefined,
          (error) => {
            throw located(module, error)
          }
        ))
    }
  })
})

describe("the extractor", () => {
  const text = [
    "<!-- ts prelude",
    'import { Effect, Schema } from "effect"',
    "const one = 1",
    "-->",
    "",
    "- a list",
    "  ```ts no-run",
    '  import { Effect } from "effect"',
    "  const two = one + 1",
    "  ```",
    "",
    "```sh",
    "ls",
    "```",
    "```ts redis",
    "const three = 3",
    "```"
  ].join("\n")

  it("finds blocks, their flags and their lines", () => {
    assert.deepStrictEqual(
      fromMarkdown("a.md", text).map(({ line, redis, run }) => ({ line, redis, run })),
      [
        { line: 8, redis: false, run: false },
        { line: 16, redis: true, run: true }
      ]
    )
  })

  it("puts the prelude first, without what the block imports, and the block in a scope of its own", () => {
    const [first] = fromMarkdown("a.md", text)
    assert.deepStrictEqual(moduleOf(first!), {
      offset: 5,
      text: [
        'import assert from "node:assert/strict"',
        'import { Schema } from "effect"',
        "const one = 1",
        'import { Effect } from "effect"',
        "{",
        "",
        "const two = one + 1",
        "}",
        "",
        "export {}",
        ""
      ].join("\n")
    })
  })

  it("says where a diagnostic comes from", () => {
    const [module] = fromMarkdown("a.md", text).map((snippet) => ({ snippet, path: `${folder}a-md-8.ts`, offset: 3 }))
    assert.deepStrictEqual(
      diagnosticsOf([module!], "src/x.ts(1,1): error TS1: no\n.tmp/snippets/a-md-8.ts(5,7): error TS2: bad\n  more"),
      ["a.md:9:7 error TS2: bad", "  more"]
    )
  })

  it("says where a failure comes from", () => {
    const [snippet] = fromMarkdown("a.md", text)
    const error = new Error("boom")
    error.stack = `Error: boom\n    at ${folder}a-md-8.ts:5:3`
    assert.strictEqual(
      located({ snippet: snippet!, path: `${folder}a-md-8.ts`, offset: 3 }, error).message,
      "a.md:9: Error: boom"
    )
  })

  it("refuses a mark it does not know, and a fence without an end", () => {
    assert.throws(() => fromMarkdown("a.md", "```ts norun\n```"), 'a.md:1: "norun"')
    assert.throws(() => fromMarkdown("a.md", "x\n```ts\n"), "a.md:2: this fence is never closed")
  })
})
