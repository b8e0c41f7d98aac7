import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { defaultRounds, fewestRounds, parseArgs } from "../../bench/ab/args.ts"
import { otherDependencies } from "../../bench/ab/builds.ts"
import { judge, levelNeeded, order, sidesOf, verdictOf } from "../../bench/ab/measure.ts"
import { allIds, plan } from "../../bench/ab/plan.ts"
import { UsageError } from "../../bench/lib/args.ts"
import { medianInterval } from "../../bench/lib/statistics.ts"

describe("flags of bench:ab", () => {
  it("a commit is enough", () => {
    assert.deepStrictEqual(parseArgs(["6c7efee"]), {
      help: false,
      list: false,
      before: "6c7efee",
      after: undefined,
      only: [],
      rounds: defaultRounds,
      json: undefined,
      strict: false
    })
  })

  it("all of them", () => {
    const options = parseArgs(
      "HEAD~1 HEAD --only redis-hit,batch --only=stampede/1 --rounds 8 --json=a.json --strict".split(" ")
    )
    assert.strictEqual(options.before, "HEAD~1")
    assert.strictEqual(options.after, "HEAD")
    assert.deepStrictEqual(options.only, ["redis-hit", "batch", "stampede/1"])
    assert.strictEqual(options.rounds, 8)
    assert.isTrue(options.strict)
    assert.strictEqual(options.json, "a.json")
  })

  it("without a commit only to ask", () => {
    assert.isTrue(parseArgs(["--help"]).help)
    assert.isTrue(parseArgs(["--list"]).list)
  })

  it.each([
    [[], "a commit is missing"],
    [["a", "b", "c"], "two commits at most"],
    [["a", "--fast"], "unknown flag --fast"],
    [["a", "--only"], "--only needs a value"],
    [["a", "--json", "--list"], "--json needs a value"],
    [["a", "--rounds=0"], "expected a whole number"],
    [["a", "--list=yes"], "--list takes no value"],
    [["a", "--strict", "--rounds", "5"], "--strict needs 6 rounds"]
  ])("%j is refused", (args, message) => {
    assert.throws(() => parseArgs(args), UsageError, message)
  })
})

describe("groups of bench:ab", () => {
  const idsOf = (only: ReadonlyArray<string>) => plan(only).flatMap(({ groups }) => groups.map(({ id }) => id))

  it("hits, misses, writes and responses in memory and Redis, batch and stampede", () => {
    assert.deepStrictEqual(
      idsOf([]).sort(),
      allIds()
        .filter(({ usual }) => usual)
        .map(({ id }) => id)
        .sort()
    )
    assert.strictEqual(idsOf([]).length, 20)
  })

  it("the usual ones of what is named, or what is named in full", () => {
    assert.deepStrictEqual(idsOf(["memory-hit"]), ["memory-hit/zipf", "memory-hit/hot"])
    assert.deepStrictEqual(idsOf(["memory-hit/tagged", "batch"]), ["memory-hit/tagged", "batch/100"])
    assert.deepStrictEqual(idsOf(["batch/1000"]), ["batch/1000"])
    assert.deepStrictEqual(idsOf(["nothing"]), [])
  })
})

describe("the interval of a median", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

  it.each([
    // As in the tables of the sign test.
    [6, 1, 6, 0.969],
    [8, 1, 8, 0.992],
    [9, 2, 8, 0.961],
    [12, 3, 10, 0.961],
    [20, 6, 15, 0.959],
    [100, 40, 61, 0.965]
  ])("of %i samples goes from sample %i to sample %i", (n, low, high, level) => {
    const interval = medianInterval([...upTo(n)].reverse())
    assert.deepStrictEqual([interval.low, interval.high], [low, high])
    assert.closeTo(interval.level, level, 5e-4)
  })

  it("is all of them where they are too few, and says how sure it is", () => {
    assert.deepStrictEqual(medianInterval([3, 1, 2]), { low: 1, high: 3, level: 0.75 })
    assert.deepStrictEqual(medianInterval([7]), { low: 7, high: 7, level: 0 })
    assert.isNaN(medianInterval([]).low)
  })
})

describe("a verdict of bench:ab", () => {
  it("who begins changes from turn to turn and from round to round", () => {
    assert.deepStrictEqual(order(0, 2), ["before", "after", "after", "before"])
    assert.deepStrictEqual(order(1, 2), ["after", "before", "before", "after"])
    assert.strictEqual(order(0, 6).filter((side) => side === "before").length, 6)
  })

  it("is of ratios within a turn, one a round", () => {
    // The second turn was slow for both, the third round was with other luck.
    const rounds = [
      { before: [10, 100, 10], after: [11, 110, 11] },
      { before: [20], after: [22] },
      { before: [10], after: [20] }
    ]
    const { after, before, interval, ratio, ratios } = judge(rounds)
    assert.deepStrictEqual(ratios, [1.1, 1.1, 2])
    assert.strictEqual(ratio, 1.1)
    assert.deepStrictEqual(before, [10, 20, 10])
    assert.deepStrictEqual(after, [11, 22, 20])
    assert.deepStrictEqual(interval, { low: 1.1, high: 2, level: 0.75 })
  })

  it("who is started first, and has the first database, changes from round to round", () => {
    assert.deepStrictEqual([0, 1, 2].map(sidesOf), [
      ["before", "after"],
      ["after", "before"],
      ["before", "after"]
    ])
  })

  it.each([
    ["faster", 0.5, 0.9, "yes"],
    ["just so", 0.9, 1.05, "yes"],
    ["about the limit", 1, 1.0501, "not told apart"],
    ["from the limit on", 1.05, 1.2, "not told apart"],
    ["slower", 1.0501, 1.2, "no"]
  ] as const)("no worse: %s", (_, low, high, verdict) => {
    assert.strictEqual(verdictOf({ low, high, level: levelNeeded }), verdict)
    assert.strictEqual(verdictOf({ low, high, level: 0.94 }), undefined)
  })

  it("takes six rounds", () => {
    const rounds = (n: number) => Array.from({ length: n }, () => ({ before: [1], after: [2] }))
    assert.isNull(judge(rounds(fewestRounds - 1)).verdict)
    assert.strictEqual(judge(rounds(fewestRounds)).verdict, "no")
  })
})

describe("builds of bench:ab", () => {
  const inFolder = (run: (folder: string) => void): void => {
    const folder = mkdtempSync(path.join(tmpdir(), "bench-ab-"))
    try {
      run(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const manifest = {
    name: "effect-cache",
    type: "module",
    exports: { ".": { "effect-cache-source": "./src/a.ts", default: "./dist/a.js" }, "./redis": "./src/b.js" },
    dependencies: { ioredis: "^5.0.0", gone: "1.0.0" }
  }

  it("effect-cache is the build, whoever imports it", () =>
    inFolder((folder) => {
      writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest))
      for (const [name, text] of [
        ["dist/a.js", "export const who = 'the build'"],
        ["src/b.js", "export const who = 'its sources'"]
      ] as const) {
        mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
        writeFileSync(path.join(folder, name), text)
      }
      const preload = new URL("../../bench/ab/preload.ts", import.meta.url).href
      const importing = (name: string) =>
        spawnSync(
          process.execPath,
          [`--import=${preload}`, "--input-type=module", "--eval", `console.log((await import("${name}")).who)`],
          {
            cwd: fileURLToPath(new URL("../../", import.meta.url)),
            encoding: "utf8",
            env: { ...process.env, EFFECT_CACHE_BENCH_BUILD: folder }
          }
        )
      assert.strictEqual(importing("effect-cache").stdout.trim(), "the build")
      assert.include(importing("effect-cache/redis").stderr, "effect-cache/redis is file:")
    }))

  it("names what a version asks for and is not installed", () =>
    inFolder((folder) => {
      const [here, there] = [path.join(folder, "here"), path.join(folder, "there")]
      for (const [at, dependencies] of [
        [here, { ioredis: "^6.0.0" }],
        [there, manifest.dependencies]
      ] as const) {
        mkdirSync(at)
        writeFileSync(
          path.join(at, "package.json"),
          JSON.stringify({ dependencies, peerDependencies: { effect: "1" } })
        )
      }
      assert.deepStrictEqual(otherDependencies(there, here), ["ioredis ^5.0.0", "gone 1.0.0"])
      assert.deepStrictEqual(otherDependencies(here, here), [])
    }))
})
