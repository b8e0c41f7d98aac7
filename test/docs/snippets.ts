/**
 * Finds the TypeScript blocks of the documentation and makes a module of each.
 *
 * - A block is a fence that starts with `ts`: in `README.md`, `CONTRIBUTING.md`, `docs/*.md` and the doc comments of
 *   `src`. It stands alone, is type-checked, and runs as the body of a module, with `assert` (`node:assert/strict`) in
 *   scope.
 * - `ts no-run` is type-checked only. `ts redis` runs with the `REDIS_URL` of a test server; other blocks run with
 *   `CACHE_BACKEND=memory`.
 * - A markdown file may hold `<!-- ts prelude ... -->`: code put before each of its blocks. Names a block imports
 *   itself are left out of the prelude.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
export const folder = `${root}.tmp/snippets/`

export interface Snippet {
  /** Where it was found, relative to the root. */
  readonly file: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  readonly code: string
  readonly run: boolean
  readonly redis: boolean
  readonly prelude: string
}

/** A snippet as a module on disk. */
export interface SnippetModule {
  readonly snippet: Snippet
  readonly path: string
  /** How many lines precede the snippet's first line in the module. */
  readonly offset: number
}

const known = new Set(["no-run", "redis"])

const blocksOf = (file: string, lines: ReadonlyArray<string>, firstLine: number, prelude: string): Array<Snippet> => {
  const snippets: Array<Snippet> = []
  for (let i = 0; i < lines.length; i++) {
    const open = /^(\s*)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(lines[i]!)
    if (open === null) continue
    const [, indent = "", fence = "", language, words = ""] = open
    const start = i + 1
    do i++
    while (i < lines.length && lines[i]!.trim() !== fence)
    const at = `${file}:${firstLine + start - 1}`
    if (i === lines.length) throw new Error(`${at}: this fence is never closed`)
    if (language !== "ts" && language !== "typescript") continue
    const flags = words.split(/\s+/).filter((word) => word !== "")
    for (const flag of flags) {
      if (!known.has(flag)) throw new Error(`${at}: "${flag}" is not one of ${[...known].join(", ")}`)
    }
    snippets.push({
      file,
      line: firstLine + start,
      code: lines
        .slice(start, i)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
        .join("\n"),
      run: !flags.includes("no-run"),
      redis: flags.includes("redis"),
      prelude
    })
  }
  return snippets
}

/** The blocks of a markdown text. */
export const fromMarkdown = (file: string, text: string): Array<Snippet> => {
  const prelude = /<!--\s*ts prelude\s*\n([\s\S]*?)-->/.exec(text)?.[1] ?? ""
  return blocksOf(file, text.split("\n"), 1, prelude.trimEnd())
}

/** The blocks of the doc comments of a source text. */
const fromSource = (file: string, text: string): Array<Snippet> => {
  const snippets: Array<Snippet> = []
  for (const comment of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const firstLine = text.slice(0, comment.index).split("\n").length
    const lines = comment[0]
      .replace(/\*\/$/, "")
      .split("\n")
      .map((line) => line.replace(/^\s*\/?\*+ ?/, ""))
    snippets.push(...blocksOf(file, lines, firstLine, ""))
  }
  return snippets
}

/** Every block of the repository's documentation. */
export const collect = (): Array<Snippet> => {
  const read = (file: string): string => readFileSync(root + file, "utf8")
  return [
    ...globSync(["README.md", "CONTRIBUTING.md", "docs/*.md"], { cwd: root })
      .sort()
      .flatMap((file) => fromMarkdown(file, read(file))),
    ...globSync("src/**/*.ts", { cwd: root })
      .sort()
      .flatMap((file) => fromSource(file, read(file)))
  ]
}

const imports = /^import\s+(?:type\s+)?(?:(\w+)\s*,?\s*)?(?:\*\s+as\s+(\w+)|\{([^}]*)\})?\s*from\s*"[^"]+"[^\S\n]*$/gm

/** `a`, `type b`, `c as d` of a named import list, by the name each binds. */
const namedOf = (list: string): ReadonlyArray<readonly [name: string, text: string]> =>
  list
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map((text) => [
      text
        .replace(/^type\s+/, "")
        .split(/\s+as\s+/)
        .at(-1)!,
      text
    ])

/** The names that the import statements of `code` bind. */
const boundBy = (code: string): Set<string> => {
  const names = new Set<string>()
  for (const [, main, all, list] of code.matchAll(imports)) {
    for (const name of [main, all, ...namedOf(list ?? "").map(([bound]) => bound)]) {
      if (name !== undefined) names.add(name)
    }
  }
  return names
}

/** The prelude without what the block imports itself. Lines keep their number. */
const without = (prelude: string, taken: ReadonlySet<string>): string =>
  prelude.replace(imports, (statement: string, main?: string, all?: string, list?: string) => {
    const blank = statement.replace(/[^\n]/g, "")
    if (list === undefined) return [main, all].some((name) => name !== undefined && taken.has(name)) ? blank : statement
    const left = namedOf(list).filter(([name]) => !taken.has(name))
    if (left.length === 0 && main === undefined) return blank
    return statement.replace(/\{[^}]*\}/, `{ ${left.map(([, text]) => text).join(", ")} }`)
  })

/** The text of the module for a snippet, and the number of lines before the snippet's own. */
export const moduleOf = (snippet: Snippet): { readonly text: string; readonly offset: number } => {
  const own = boundBy(snippet.code)
  const prelude = snippet.prelude === "" ? [] : without(snippet.prelude, own).split("\n")
  const assert =
    own.has("assert") || boundBy(prelude.join("\n")).has("assert") ? [] : ['import assert from "node:assert/strict"']
  if (prelude.length === 0) {
    return { text: [...assert, snippet.code, "", "export {}", ""].join("\n"), offset: assert.length }
  }
  // In a scope of its own, so that a block may declare a name which the prelude declares for the others.
  const hoisted = [...snippet.code.matchAll(imports)].flatMap(([statement]) => statement.split("\n"))
  const body = snippet.code.replace(imports, (statement) => statement.replace(/[^\n]/g, ""))
  const before = [...assert, ...prelude, ...hoisted, "{"]
  return { text: [...before, body, "}", "", "export {}", ""].join("\n"), offset: before.length }
}

/** Writes each snippet as a module below `.tmp/snippets`, with a tsconfig beside them. */
export const write = (snippets: ReadonlyArray<Snippet>): Array<SnippetModule> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const modules = snippets.map((snippet): SnippetModule => {
    const { offset, text } = moduleOf(snippet)
    const path = `${folder}${snippet.file.replace(/[^a-zA-Z0-9]+/g, "-")}-${snippet.line}.ts`
    writeFileSync(path, text)
    return { snippet, path, offset }
  })
  writeFileSync(
    `${folder}tsconfig.json`,
    JSON.stringify({
      extends: "../../tsconfig.json",
      // An example may declare what it does not go on to use.
      compilerOptions: {
        customConditions: ["effect-cache-source"],
        noUnusedLocals: false,
        noUnusedParameters: false
      },
      include: ["*.ts"]
    })
  )
  return modules
}

/** The place in the documentation of a line of a module. */
const placeOf = ({ offset, snippet }: SnippetModule, line: number): string =>
  `${snippet.file}:${line <= offset ? `${snippet.line} (prelude line ${line})` : snippet.line + line - offset - 1}`

/** Turns the compiler's diagnostics of modules into diagnostics of the documentation; those of other files are left out. */
export const diagnosticsOf = (modules: ReadonlyArray<SnippetModule>, output: string): Array<string> => {
  const byName = new Map(modules.map((module) => [module.path.slice(folder.length), module]))
  const found: Array<string> = []
  let inside = false
  for (const line of output.split("\n")) {
    const head = /^(?:.*\/)?([^/(]+)\((\d+),(\d+)\): (error .*)$/.exec(line)
    if (head === null) {
      // An indented line belongs to the diagnostic above it.
      if (inside && /^\s+\S/.test(line)) found.push(line)
      continue
    }
    const module = byName.get(head[1]!)
    inside = module !== undefined
    if (module !== undefined) found.push(`${placeOf(module, Number(head[2]))}:${head[3]} ${head[4]}`)
  }
  return found
}

/** The error of a module that ran, with the place in the documentation where it came from. */
export const located = (module: SnippetModule, error: unknown): Error => {
  const text = error instanceof Error ? (error.stack ?? "") : ""
  const at = text.indexOf(module.path)
  const line = at < 0 ? null : /^:(\d+)/.exec(text.slice(at + module.path.length))
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new Error(`${placeOf(module, line === null ? module.offset + 1 : Number(line[1]))}: ${message}`, {
    cause: error
  })
}
