import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const src = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

// Most files of tests have a process of their own, which would compile Effect anew.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL(".tmp/compiled", import.meta.url))

const all = ["test/**/*.test.ts", "examples/**/*.test.ts"]
/**
 * A file of these has a process of its own: it loads sources over another Effect or another driver, looks at what a process holds
 * or fills its tables, needs its whole stack, or starts programs for as long as a process takes to start.
 */
const apart = [
  "test/schema/asStored.probe.test.ts",
  "test/patterns/{otherDriver,counters}.test.ts",
  "test/stores/redis/otherClient.test.ts",
  "test/platform/withoutInfo.test.ts",
  "test/http/requestState.test.ts",
  "test/entry/portableBytes.test.ts",
  "test/internal/together.test.ts",
  "test/acceptance/leaks.test.ts",
  "test/engine/{throws,copy.context}.test.ts",
  "test/services/perRequest.test.ts",
  "test/{docs,examples,scripts,verify}/**/*.test.ts"
]

/** Too long for here: `npm run verify` runs it. */
const long = ["test/security/httpAttack.test.ts", "test/package/**/*.test.ts"]

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
      {
        extends: true,
        test: {
          name: "together",
          include: all,
          exclude: [...configDefaults.exclude, ...apart, ...long],
          isolate: false
        }
      },
      { extends: true, test: { name: "apart", include: apart } }
    ],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Most tests wait for servers and clocks.
    maxWorkers: availableParallelism() + 1,
    // The file is for .ci/run, which adds up what passed.
    reporters: ["default", ["json", { outputFile: ".tmp/vitest.json" }]]
  }
})
