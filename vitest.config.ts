import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const src = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

// Most files of tests have a process of their own, which would compile Effect anew.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL(".tmp/compiled", import.meta.url))

const all = ["test/**/*.test.ts", "examples/**/*.test.ts"]
// Tests that start nothing and leave nothing behind are over before a process of their own would have loaded Effect.
const together = [
  "test/{bench,internal,key,layers,platform,protocol,region,services,testing}/**/!(withoutInfo|together).test.ts",
  // But for those that load the sources over another Effect.
  "test/patterns/**/!(otherDriver|counters).test.ts",
  "test/stores/{guard,memory}/**/*.test.ts"
]

/** Too long for here: `npm run verify` runs it. */
const long = ["test/security/httpAttack.test.ts"]

export default defineConfig({
  // Tests, snippets and examples import the package by its name, and get the sources.
  resolve: {
    alias: [
      { find: /^effect-cache$/, replacement: src("index.ts") },
      { find: /^effect-cache\/(redis|http|testing)$/, replacement: src("$1/index.ts") },
      { find: /^#redis$/, replacement: src("layers/CacheRedis.ts") }
    ]
  },
  test: {
    projects: [
      { extends: true, test: { name: "together", include: together, isolate: false } },
      {
        extends: true,
        test: { name: "apart", include: all, exclude: [...configDefaults.exclude, ...together, ...long] }
      }
    ],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Vitest leaves a core to itself, and of two that is half; most tests wait for servers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The file is for .ci/run, which adds up what passed.
    reporters: ["default", ["json", { outputFile: ".tmp/vitest.json" }]]
  }
})
