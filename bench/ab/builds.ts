/**
 * Builds of two versions, each in a folder of its own below .tmp, where both find the packages installed here.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { UsageError } from "../lib/args.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const needed = ["src", "package.json", "tsconfig.json", "tsconfig.build.json"]

export interface Build {
  /** A commit's hash; the working tree's is that of its commit, with `+` where it was changed since. */
  readonly version: string
  readonly folder: string
}

const git = (...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim()

const hashOf = (commit: string): string => {
  try {
    return git("rev-parse", "--verify", "--quiet", `${commit}^{commit}`)
  } catch {
    throw new UsageError(`there is no commit ${commit}`)
  }
}

const unpack = (hash: string, folder: string): string => {
  const archive = execFileSync("git", ["archive", "--format=tar", hash, ...needed], { cwd: root, maxBuffer: 1 << 28 })
  execFileSync("tar", ["-x", "-C", folder], { input: archive })
  return hash.slice(0, 10)
}

const copy = (folder: string): string => {
  for (const name of needed) cpSync(root + name, `${folder}/${name}`, { recursive: true })
  return git("rev-parse", "HEAD").slice(0, 10) + (git("status", "--porcelain", "--", ...needed) === "" ? "" : "+")
}

/** The packages a version asks for, by name. */
const dependenciesOf = (folder: string): Readonly<Record<string, string>> => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"))
  return { ...dependencies, ...peerDependencies }
}

/** What a version asks for and the working tree does not: it runs with what is installed here all the same. */
export const otherDependencies = (folder: string, base = root): ReadonlyArray<string> => {
  const here = dependenciesOf(base)
  return Object.entries(dependenciesOf(folder))
    .filter(([name, range]) => here[name] !== range)
    .map(([name, range]) => `${name} ${range}`)
}

/** Builds a commit, or the working tree as it is now. */
export const build = (side: "before" | "after", commit: string | undefined): Build => {
  const hash = commit === undefined ? undefined : hashOf(commit)
  const folder = `${root}.tmp/bench-ab/${side}`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const version = hash === undefined ? copy(folder) : unpack(hash, folder)
  const { status, stdout } = spawnSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, "-p", `${folder}/tsconfig.build.json`],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }
  )
  if (status !== 0) throw new Error(`${version} does not compile:\n${stdout}`)
  return { version, folder }
}
