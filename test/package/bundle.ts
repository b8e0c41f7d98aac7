import { gzipSync } from "node:zlib"
import { isBuiltin } from "node:module"
import { fileURLToPath } from "node:url"
import { build, type BuildFailure } from "esbuild"

export const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Bundle {
  /** Bytes, minified. */
  readonly size: number
  readonly gzip: number
  /** The files that went into it. */
  readonly inputs: ReadonlyArray<string>
  /** What does not belong in it: Node's modules, the driver, the Redis layer, or anything left outside. */
  readonly intruders: ReadonlyArray<string>
}

/** Bundles `code`, an ES module placed at the root of the repository, from the sources. */
export const bundle = async (code: string, platform: "browser" | "neutral"): Promise<Bundle> => {
  const intruders = new Set<string>()
  const result = await build({
    stdin: { contents: code, resolveDir: root, sourcefile: "entry.ts", loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    target: "es2023",
    platform,
    ...(platform === "neutral" ? { mainFields: ["module", "main"] } : {}),
    conditions: ["effect-cache-source"],
    logLevel: "silent",
    plugins: [
      {
        name: "intruders",
        setup: ({ onResolve }) => {
          onResolve({ filter: /^(node:|[a-z_]+(\/|$))/ }, ({ importer, path }) => {
            if (!isBuiltin(path)) return undefined
            intruders.add(`${path} in ${importer}`)
            return { path, external: true }
          })
        }
      }
    ]
  }).catch((error: BuildFailure) => {
    throw new Error(error.errors.map(({ location, text }) => `${location?.file}:${location?.line}: ${text}`).join("\n"))
  })
  const inputs = Object.keys(result.metafile.inputs)
  for (const input of inputs) {
    if (/node_modules\/(@ioredis|ioredis|redis-parser)\/|^src\/redis\/|\/CacheRedis\b/.test(input)) intruders.add(input)
  }
  for (const output of Object.values(result.metafile.outputs)) {
    for (const { external, path } of output.imports) if (external === true) intruders.add(path)
  }
  const [file] = result.outputFiles
  if (file === undefined) throw new Error("esbuild wrote nothing")
  return {
    size: file.contents.length,
    gzip: gzipSync(file.contents).length,
    inputs,
    intruders: [...intruders].sort()
  }
}
