/**
 * The suite of http-tests/cache-tests as it stands on this machine: its tests, its server, its client, and how it counts.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Data, Effect, type Scope } from "effect"

export class SuiteError extends Data.TaggedError("SuiteError")<{ readonly message: string }> {}

/** `required` is what the standards say, `optimal` what a good cache does besides, and a `check` only looks. */
export type Kind = "required" | "optimal" | "check"

export interface Test {
  readonly id: string
  readonly name: string
  readonly kind: Kind
}

export interface Group {
  readonly id: string
  readonly name: string
  readonly tests: ReadonlyArray<Test>
}

/** What its client wrote of each test: `true`, or the kind of failure and a message. */
export type Results = Readonly<Record<string, true | readonly [kind: string, message: string]>>

export interface Suite {
  readonly folder: string
  /** Without the tests that are for browsers alone. */
  readonly groups: ReadonlyArray<Group>
  /** Whether a test passed, and so did all that it depends on: by the rules of the suite's own site. */
  readonly holds: (id: string, results: Results) => boolean
}

interface RawTest {
  readonly id: string
  readonly name: string
  readonly kind?: Kind
  readonly browser_only?: boolean
}
interface RawGroup {
  readonly id: string
  readonly name: string
  readonly tests: ReadonlyArray<RawTest>
}

const missing = (folder: string) =>
  `The suite is not at ${folder}. It is not part of this repository; get it by\n\n` +
  `  git clone --depth 1 https://github.com/http-tests/cache-tests ${folder} && npm install --omit=dev --prefix ${folder}\n\n` +
  "or unpack the npm package http-cache-tests there and install likewise. Elsewhere: --suite <folder>, or CACHE_TESTS=<folder>."

export const loadSuite = (at: string): Effect.Effect<Suite, SuiteError> => {
  const folder = resolve(at)
  const load = async (file: string) => import(pathToFileURL(join(folder, file)).href)
  if (!existsSync(join(folder, "test-engine/cli.mjs"))) return Effect.fail(new SuiteError({ message: missing(folder) }))
  return Effect.tryPromise({
    try: async () => {
      const tests = (await load("tests/index.mjs")).default as ReadonlyArray<RawGroup>
      const { determineTestResult, resultTypes } = await load("test-engine/lib/results.mjs")
      return {
        folder,
        groups: tests
          .map(({ id, name, tests }) => ({
            id,
            name,
            tests: tests
              .filter((test) => test.browser_only !== true)
              .map(({ id, kind = "required", name }) => ({ id, kind, name }))
          }))
          .filter(({ tests }) => tests.length > 0),
        holds: (id: string, results: Results) =>
          [resultTypes.pass, resultTypes.yes].includes(determineTestResult(tests, id, results))
      }
    },
    catch: (cause) => new SuiteError({ message: `The suite at ${folder} does not load: ${cause}` })
  })
}

/** Its programs are told what to do as npm tells them. */
const environment = (settings: Readonly<Record<string, string>>) => {
  const { HTTP_PROXY: _, http_proxy: __, ...inherited } = process.env
  const defaults = { protocol: "http", port: "0", base: "", id: "" }
  const config = Object.entries({ ...defaults, ...settings }).map(([name, value]) => [`npm_config_${name}`, value])
  return { ...inherited, npm_package_config_id: "", npm_package_config_base: "", ...Object.fromEntries(config) }
}

const start = (suite: Suite, program: string, settings: Readonly<Record<string, string>>): ChildProcess =>
  spawn(process.execPath, ["--no-warnings", join(suite.folder, "test-engine", program)], {
    cwd: suite.folder,
    env: environment(settings),
    stdio: ["ignore", "pipe", "inherit"]
  })

/** Starts its origin on a free port until the scope closes, and gives its URL. `told`: what it says goes to the console. */
export const startOrigin = (suite: Suite, told: boolean): Effect.Effect<string, SuiteError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-cache-tests-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => start(suite, "server/server.mjs", { pidfile: join(folder, "pid") })),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const port = yield* Effect.callback<string, SuiteError>((resume) => {
      let text = ""
      child.stdout!.on("data", (chunk: Buffer) => {
        text += chunk.toString()
        const port = /^Listening on \S+:(\d+)\/$/m.exec(text)?.[1]
        if (port !== undefined) resume(Effect.succeed(port))
      })
      child.once("exit", (code) => resume(Effect.fail(new SuiteError({ message: `Its server ended with ${code}` }))))
    }).pipe(
      Effect.timeoutOrElse({
        duration: "20 seconds",
        orElse: () => Effect.fail(new SuiteError({ message: "Its server did not say that it listens" }))
      })
    )
    if (told) child.stdout!.pipe(process.stdout)
    return `http://127.0.0.1:${port}`
  })

/** Runs its client against a cache, and gives what it printed. */
const runClient = (suite: Suite, base: string, id: string): Effect.Effect<string, SuiteError> =>
  Effect.callback((resume) => {
    const child = start(suite, "cli.mjs", { base, id })
    let text = ""
    child.stdout!.on("data", (chunk: Buffer) => (text += chunk.toString()))
    child.once("error", (error) => resume(Effect.fail(new SuiteError({ message: String(error) }))))
    child.once("close", (code) =>
      resume(
        code === 0 ? Effect.succeed(text) : Effect.fail(new SuiteError({ message: `Its client ended with ${code}` }))
      )
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const runAll = (suite: Suite, base: string): Effect.Effect<Results, SuiteError> =>
  Effect.flatMap(runClient(suite, base, ""), (text) =>
    Effect.try({
      // Before its results it prints what the harness complains of.
      try: () => JSON.parse(text.slice(text.indexOf("{\n"))) as Results,
      catch: () => new SuiteError({ message: `Its client printed no results: ${text.slice(0, 500)}` })
    })
  )

/** One test, with each request and response as its client saw them. */
export const tellOne = (suite: Suite, base: string, id: string): Effect.Effect<string, SuiteError> =>
  suite.groups.some(({ tests }) => tests.some((test) => test.id === id))
    ? runClient(suite, base, id)
    : Effect.fail(new SuiteError({ message: `There is no test ${id}` }))
