/**
 * Loaded first in a process that measures a build: `effect-cache` is that build, whoever imports it.
 */
import { registerHooks } from "node:module"
import { pathToFileURL } from "node:url"

const folder = process.env["EFFECT_CACHE_BENCH_BUILD"]
if (folder === undefined) throw new Error("EFFECT_CACHE_BENCH_BUILD names no build")
// Its package.json says where its entry points are.
const parentURL = pathToFileURL(`${folder}/package.json`).href

registerHooks({
  resolve: (name, context, next) => {
    if (!/^effect-cache(\/|$)/.test(name)) return next(name, context)
    const found = next(name, { ...context, parentURL })
    if (!found.url.startsWith(new URL("./dist/", parentURL).href)) throw new Error(`${name} is ${found.url}`)
    return found
  }
})
