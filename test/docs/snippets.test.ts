/**
 * Runs and type-checks what the documentation shows. See `snippets.ts` for how blocks are marked.
 */
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { RedisServer } from "../support/redisServer.ts"
import type { Ran } from "./runPage.ts"
import {
  collect,
  diagnosticsOf,
  folder,
  fromMarkdown,
  fromSource,
  located,
  moduleOf,
  placeIn,
  root,
  type SnippetModule,
  write
} from "./snippets.ts"

const modules = write(collect())

interface Outcome {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

const node = (args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [...args],
      { cwd: root, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 1 << 26, timeout: 110_000 },
      (error, stdout, stderr) => resolve({ ok: error === null, stdout, stderr })
    )
  })

const tsc = createRequire(import.meta.url)
  .resolve("typescript/package.json")
  .replace(/package\.json$/, "bin/tsc")

const runPage = fileURLToPath(new URL("./runPage.ts", import.meta.url))

/** Runs the programs of a page, and gives what became of each that the process got to. */
const ranOf = async (
  programs: ReadonlyArray<SnippetModule>
): Promise<{ readonly ran: ReadonlyArray<Ran>; readonly stderr: string }> => {
  const paths = programs.map(({ path }) => path)
  const { stderr, stdout } = await node(["--conditions=effect-cache-source", runPage, ...paths])
  const ran = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Ran)
  return { ran, stderr }
}

const lines = (text: string): string => text.replace(/[ \t]+$/gm, "").trimEnd()

const titled = ({ snippet }: SnippetModule): string => `${snippet.file}:${snippet.line}`

describe("documentation", () => {
  it("type-checks", { timeout: 120_000 }, async () => {
    const { ok, stderr, stdout } = await node([tsc, "-p", folder, "--noEmit", "--pretty", "false"])
    assert.deepStrictEqual(diagnosticsOf(modules, stdout), [])
    // Errors in the sources are for `npm run check`; a compiler that says nothing at all did not run.
    assert.isTrue(ok || stdout.includes("error TS"), stdout + stderr)
  })

  const running = modules.filter(({ snippet }) => snippet.run)

  const scope = Scope.makeUnsafe()
  let redisUrl = ""
  const before = { ...process.env }
  beforeAll(async () => {
    redisUrl = (await Effect.runPromise(Scope.provide(RedisServer.scoped(), scope))).url
    Object.assign(process.env, { CACHE_BACKEND: "memory", REDIS_URL: redisUrl })
  })
  afterAll(async () => {
    for (const name of ["CACHE_BACKEND", "REDIS_URL"]) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  const programs = running.filter(({ snippet }) => snippet.whole)
  for (const page of new Set(programs.map(({ snippet }) => snippet.file))) {
    describe(`runs ${page}`, () => {
      const ofPage = programs.filter(({ snippet }) => snippet.file === page)
      let outcome: Awaited<ReturnType<typeof ranOf>>
      beforeAll(async () => {
        outcome = await ranOf(ofPage)
      }, 120_000)
      ofPage.forEach((module, index) => {
        it(titled(module), () => {
          const ran = outcome.ran[index]
          assert.isDefined(ran, `${titled(module)} ended the process: ${outcome.stderr}`)
          assert.isUndefined(ran!.thrown, ran!.thrown && `${placeIn(module, ran!.thrown)}: ${ran!.thrown}`)
          assert.strictEqual(
            lines(ran!.printed),
            lines(module.snippet.prints),
            `${titled(module)} prints something else`
          )
        })
      })
    })
  }

  describe("runs the examples in doc comments", () => {
    for (const module of running.filter(({ snippet }) => !snippet.whole)) {
      it(titled(module), () =>
        import(/* @vite-ignore */ module.path).then(
          () => undefined,
          (error) => {
            throw located(module, error)
          }
        )
      )
    }
  })
})

describe("the extractor", () => {
  const text = [
    "- a list",
    "  ```ts no-run",
    "  // two.ts",
    '  import { Effect } from "effect"',
    "  export const two = 2",
    "  ```",
    "",
    "```sh",
    "ls",
    "```",
    "```ts redis",
    "console.log(3)",
    "```",
    "",
    "```txt",
    "3",
    "```"
  ].join("\n")
  const [first, second] = fromMarkdown("a.md", text)

  it("finds blocks, their flags, their lines, their names and what they print", () => {
    const found = [first!, second!].map(({ line, name, prints, redis, run }) => ({ line, name, prints, redis, run }))
    assert.deepStrictEqual(found, [
      { line: 3, name: "two.ts", prints: "", redis: false, run: false },
      { line: 12, name: undefined, prints: "3", redis: true, run: true }
    ])
  })

  it("takes a block as it stands", () => {
    assert.deepStrictEqual(moduleOf(first!), {
      offset: 0,
      text: '// two.ts\nimport { Effect } from "effect"\nexport const two = 2\n'
    })
  })

  it("gives the examples of doc comments their assert", () => {
    const [snippet] = fromSource("a.ts", "/**\n * ```ts\n * assert.ok(true)\n * ```\n */\n")
    assert.deepStrictEqual(moduleOf(snippet!), {
      offset: 1,
      text: 'import assert from "node:assert/strict"\nassert.ok(true)\n'
    })
  })

  it("takes no text for output that has words before it", () => {
    const [snippet] = fromMarkdown("a.md", "```ts\n1\n```\nThe keys:\n```txt\n2\n```")
    assert.strictEqual(snippet!.prints, "")
  })

  it("leaves out a block that shows a file", () => {
    assert.deepStrictEqual(fromMarkdown("a.md", "```ts file=a.ts\nconst a = 1\n```"), [])
  })

  it("says where a diagnostic comes from", () => {
    const module = { snippet: first!, path: `${folder}a-md/two.ts`, offset: 0 }
    assert.deepStrictEqual(
      diagnosticsOf([module], "src/x.ts(1,1): error TS1: no\n.tmp/snippets/a-md/two.ts(2,7): error TS2: bad\n  more"),
      ["a.md:4:7 error TS2: bad", "  more"]
    )
    assert.deepStrictEqual(diagnosticsOf([module], "a-md/two.ts(2,7): error TS2: bad"), ["a.md:4:7 error TS2: bad"])
  })

  it("says where a failure comes from", () => {
    const error = new Error("boom")
    error.stack = `Error: boom\n    at ${folder}a-md/12.ts:1:3`
    assert.strictEqual(
      located({ snippet: second!, path: `${folder}a-md/12.ts`, offset: 0 }, error).message,
      "a.md:12: Error: boom"
    )
  })

  it("refuses a mark it does not know, and a fence without an end", () => {
    assert.throws(() => fromMarkdown("a.md", "```ts norun\n```"), 'a.md:1: "norun"')
    assert.throws(() => fromMarkdown("a.md", "x\n```ts\n"), "a.md:2: this fence is never closed")
  })
})
