/**
 * The peers are a package of their own, installed when a benchmark first wants them.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../peers", import.meta.url))

const dependencies = (): ReadonlyArray<string> =>
  Object.keys(JSON.parse(readFileSync(`${folder}/package.json`, "utf8")).dependencies)

const peersAreInstalled = (): boolean =>
  dependencies().every((name) => existsSync(`${folder}/node_modules/${name}/package.json`))

/** Installs what the lock file of bench/peers says. */
export const installPeers = (log: (line: string) => void): void => {
  if (peersAreInstalled()) return
  log("installing bench/peers, once")
  const { status, stderr } = spawnSync("npm", ["ci", "--no-fund", "--no-audit"], { cwd: folder, encoding: "utf8" })
  if (status !== 0) {
    throw new Error(
      `npm ci in bench/peers failed: ${stderr?.slice(-500)}\nRun it by hand, or measure without other caches: npm run bench -- --no-peers`
    )
  }
}

const versionIn = (file: string): string | undefined =>
  existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined

/** Versions of all that is measured. */
export const versions = (peers: boolean): Readonly<Record<string, string>> => {
  const root = fileURLToPath(new URL("../..", import.meta.url))
  const found: Record<string, string> = {
    "effect-cache": versionIn(`${root}/package.json`)!,
    effect: versionIn(`${root}/node_modules/effect/package.json`)!
  }
  for (const name of peers ? dependencies() : []) {
    const version = versionIn(`${folder}/node_modules/${name}/package.json`)
    if (version !== undefined) found[name] = version
  }
  return found
}
