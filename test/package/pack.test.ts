/**
 * Packs the package as `npm publish` would, and uses it as a stranger would.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { root } from "./bundle.ts"

interface Outcome {
  readonly code: number
  readonly output: string
}

// The settings of the npm that runs the tests are not those of the one that packs.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

const run = (cwd: string, file: string, args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(file, [...args], { cwd, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, output: stdout + stderr })
    )
  })

const expectOk = ({ code, output }: Outcome): string => {
  assert.strictEqual(code, 0, output)
  return output
}

const bin = (name: string): string => path.join(root, "node_modules", ".bin", name)
const node = (cwd: string, ...args: ReadonlyArray<string>): Promise<Outcome> => run(cwd, process.execPath, args)

const subPaths = ["effect-cache", "effect-cache/redis", "effect-cache/http", "effect-cache/testing"]

describe("the packed package", { timeout: 180_000 }, () => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), "effect-cache-pack-"))
  const stage = path.join(folder, "stage")
  const consumer = path.join(folder, "consumer")
  const installed = path.join(consumer, "node_modules", "effect-cache")
  let tarball = ""

  beforeAll(async () => {
    // A copy, so that a build here and one in the working folder do not meet.
    fs.mkdirSync(path.join(stage, "typetest"), { recursive: true })
    for (const name of fs.readdirSync(root)) {
      if (/^(src|docs|package\.json|[A-Z]+\.md|LICENSE|tsconfig.*\.json)$/.test(name)) {
        fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true })
      }
    }
    fs.cpSync(path.join(root, "typetest", "package.json"), path.join(stage, "typetest", "package.json"))
    fs.symlinkSync(path.join(root, "node_modules"), path.join(stage, "node_modules"))
    expectOk(await run(stage, "npm", ["pack", "--pack-destination", folder, "--loglevel=error"]))
    const packed = fs.readdirSync(folder).find((name) => name.endsWith(".tgz"))
    assert.isDefined(packed)
    tarball = path.join(folder, packed!)

    // What `npm install` of the tarball would give: the package, its peer and its dependencies.
    fs.mkdirSync(installed, { recursive: true })
    expectOk(await run(folder, "tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]))
    const manifest = JSON.parse(fs.readFileSync(path.join(installed, "package.json"), "utf8"))
    const needed = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies), "@types/node"]
    for (const name of needed) {
      const link = path.join(consumer, "node_modules", name)
      fs.mkdirSync(path.dirname(link), { recursive: true })
      fs.symlinkSync(path.join(root, "node_modules", name), link)
    }
    fs.writeFileSync(path.join(consumer, "package.json"), JSON.stringify({ type: "module", private: true }))
  }, 180_000)

  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("holds the built files, the sources their maps point to, the licence, what is to be read, and nothing else", () => {
    const files = fs
      .readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(installed, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"))
    const strange = files.filter(
      (file) => !/^(dist\/.*\.(js|d\.ts)(\.map)?|src\/.*\.ts|docs\/.*\.md|package\.json|[A-Z]+\.md|LICENSE)$/.test(file)
    )
    assert.deepStrictEqual(strange, [])
    assert.include(files, "LICENSE")
    for (const file of files.filter((file) => file.endsWith(".map"))) {
      const { sources } = JSON.parse(fs.readFileSync(path.join(installed, file), "utf8"))
      for (const source of sources) {
        assert.isTrue(fs.existsSync(path.resolve(installed, path.dirname(file), source)), `${file}: ${source}`)
      }
    }
  })

  it("holds what its README links to, but for the examples, in less than 930 kB", () => {
    const links = [...fs.readFileSync(path.join(installed, "README.md"), "utf8").matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)]
    const missing = links.map(([, link]) => link!).filter((link) => !fs.existsSync(path.join(installed, link)))
    assert.deepStrictEqual(
      missing.filter((link) => !/^examples\b/.test(link)),
      []
    )
    assert.isAbove(links.length, missing.length)
    assert.isBelow(fs.statSync(tarball).size, 930_000)
  })

  it("is clean for publint", async () => {
    expectOk(await run(stage, bin("publint"), ["--strict", tarball]))
  })

  it("is clean for attw", async () => {
    expectOk(await run(stage, bin("attw"), ["--profile", "esm-only", "--no-emoji", tarball]))
  })

  it("is imported by its four sub-paths", async () => {
    const code = subPaths.map((name) => `await import(${JSON.stringify(name)})`).join(";")
    expectOk(await node(consumer, "--input-type=module", "--eval", code))
  })

  it("does not load ioredis or a node: module with the root", async () => {
    const code = `
      import { registerHooks } from "node:module"
      const seen = []
      registerHooks({ resolve: (name, context, next) => { const found = next(name, context); seen.push(found.url); return found } })
      await import("effect-cache")
      console.log(JSON.stringify(seen.filter((url) => url.startsWith("node:") || url.includes("/ioredis/"))))`
    assert.strictEqual(expectOk(await node(consumer, "--input-type=module", "--eval", code)).trim(), "[]")
  })

  it("finds the Redis layer in Node by #redis", async () => {
    const dist = path.join(installed, "dist", "probe.js")
    fs.writeFileSync(dist, 'export default import.meta.resolve("#redis")')
    const code = `console.log((await import(${JSON.stringify(dist)})).default)`
    assert.match(
      expectOk(await node(consumer, "--input-type=module", "--eval", code)),
      /\/dist\/layers\/CacheRedis\.js\s*$/
    )
    fs.rmSync(dist)
  })

  for (const inside of [
    "dist/index.js",
    "src/index.ts",
    "platform/noRedis",
    "layers/CacheLive.js",
    "dist/platform/noRedis.js"
  ]) {
    it(`is closed: effect-cache/${inside}`, async () => {
      const { code, output } = await node(
        consumer,
        "--input-type=module",
        "--eval",
        `await import("effect-cache/${inside}")`
      )
      assert.notStrictEqual(code, 0)
      assert.include(output, "ERR_PACKAGE_PATH_NOT_EXPORTED")
    })
  }

  it("type-checks and runs a program, with the types of the package checked too", async () => {
    fs.writeFileSync(path.join(consumer, "program.ts"), program())
    fs.writeFileSync(
      path.join(consumer, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2023",
          lib: ["ES2023"],
          module: "NodeNext",
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          verbatimModuleSyntax: true,
          skipLibCheck: false,
          types: ["node"],
          noEmit: true
        },
        files: ["program.ts"]
      })
    )
    const tsc = createRequire(import.meta.url)
      .resolve("typescript/package.json")
      .replace(/package\.json$/, "bin/tsc")
    const { output } = await node(consumer, tsc, "-p", "tsconfig.json", "--pretty", "false")
    // Declarations of other packages are their authors' concern.
    const ours = output
      .split("\n")
      .filter((line) => line.includes("error TS") && !/^(\.\.\/)*(.*\/)?node_modules\/(?!effect-cache\/)/.test(line))
    assert.deepStrictEqual(ours, [])
    assert.include(expectOk(await node(consumer, "program.ts")), "ok")
  })

  /** What a stranger would write first; short until the entry has what it takes. */
  const program = (): string => {
    const start = subPaths.map((name, index) => `import * as path${index} from "${name}"`)
    const end = [`console.log("ok", ${subPaths.map((_, index) => `typeof path${index}`).join(", ")})`]
    if (!/\bcacheAside\b/.test(fs.readFileSync(path.join(root, "src", "index.ts"), "utf8")))
      return [...start, ...end].join("\n")
    return [
      ...start,
      'import { Effect, Schema } from "effect"',
      'import { cacheAside, CacheMemory, CacheRegion, invalidateTags } from "effect-cache"',
      'const Users = CacheRegion.make({ key: "user:{id}", schema: Schema.String, ttl: "1 minute", tags: ["user"] })',
      "let loads = 0",
      "const getUser = cacheAside(Users)(({ id }: { readonly id: string }) => Effect.sync(() => `${id} ${++loads}`))",
      "const seen = await Effect.runPromise(Effect.gen(function*() {",
      '  const first: string = yield* getUser({ id: "a" })',
      '  const again: string = yield* getUser({ id: "a" })',
      '  yield* invalidateTags(["user"])',
      '  return [first, again, yield* getUser({ id: "a" })]',
      "}).pipe(Effect.provide(CacheMemory.layer())))",
      'if (seen.join() !== "a 1,a 1,a 2") throw new Error(seen.join())',
      ...end
    ].join("\n")
  }
})
