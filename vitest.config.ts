import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const src = (file: string) => fileURLToPath(new URL(`./src/${file}`, import.meta.url))

// Each file of tests has a process of its own, which would compile Effect anew.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL(".tmp/compiled", import.meta.url))

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
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Vitest leaves a core to itself, and of two that is half; most tests wait for servers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // The file is for .ci/run, which adds up what passed.
    reporters: ["default", ["json", { outputFile: ".tmp/vitest.json" }]]
  }
})
