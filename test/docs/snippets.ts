/**
 * Finds the TypeScript blocks of the documentation and makes a module of each.
 *
 * In `README.md`, `CONTRIBUTING.md` and `docs/` a block is a program as it stands, imports and all: what a reader pastes is
 * what runs.
 *
 * - It is type-checked, and run by Node, those of a page in one process.
 * - A block of `txt` right behind it says what it prints. A program that prints something must have one.
 * - One that begins with `// name.ts` is the file of that name, and later blocks of the page import it by `"./name.ts"`. So they
 *   do an example that the page links to (`[name.ts](../examples/name.ts)`).
 * - `ts no-run` is type-checked only. The others run with `CACHE_BACKEND=memory` and the `REDIS_URL` of a test server; `ts redis`
 *   says that this is used.
 * - `ts file=<path>` shows a file of the repository, and is left out here: `files.test.ts` compares them.
 *
 * Examples in the doc comments of `src` run as modules of the test, with `assert` (`node:assert/strict`) in scope.
 */
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))
export const folder = `${root}.tmp/snippets/`

export interface Snippet {
  /** Where it was found, relative to the root. */
  readonly file: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  readonly code: string
  readonly run: boolean
  readonly redis: boolean
  /** Whether it stands for itself; otherwise it is an example of a doc comment. */
  readonly whole: boolean
  /** The name of the file that it is, for later blocks of the page. */
  readonly name: string | undefined
  /** What it prints, as the page says. */
  readonly prints: string
  /** Examples that it imports, relative to the root. */
  readonly beside: ReadonlyArray<string>
}

/** A snippet as a module on disk. */
export interface SnippetModule {
  readonly snippet: Snippet
  readonly path: string
  /** How many lines precede the snippet's first line in the module. */
  readonly offset: number
}

const known = new Set(["no-run", "redis"])

/** A fence and what is in it. */
interface Fence {
  readonly language: string
  readonly words: string
  /** The line that opens it and the one behind it, from 0. */
  readonly from: number
  readonly to: number
  readonly text: string
}

const fencesOf = (file: string, lines: ReadonlyArray<string>, firstLine: number): Array<Fence> => {
  const fences: Array<Fence> = []
  for (let i = 0; i < lines.length; i++) {
    const open = /^(\s*)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(lines[i]!)
    if (open === null) continue
    const [, indent = "", fence = "", language = "", words = ""] = open
    const from = i
    do i++
    while (i < lines.length && lines[i]!.trim() !== fence)
    if (i === lines.length) throw new Error(`${file}:${firstLine + from}: this fence is never closed`)
    const code = lines.slice(from + 1, i).map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    fences.push({ language, words, from, to: i + 1, text: code.join("\n") })
  }
  return fences
}

/** The examples that a page links to. */
const linked = (file: string, text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\]\(([^)\s]*\bexamples\/[^)\s]+\.ts)\)/g)].map(([, link]) => join(dirname(file), link!))

const blocksOf = (file: string, lines: ReadonlyArray<string>, firstLine: number, whole: boolean): Array<Snippet> => {
  const fences = fencesOf(file, lines, firstLine)
  const links = whole ? linked(file, lines.join("\n")) : []
  return fences.flatMap((fence, index): Array<Snippet> => {
    if (fence.language !== "ts" && fence.language !== "typescript") return []
    const flags = fence.words.split(/\s+/).filter((word) => word !== "")
    if (flags.some((flag) => flag.startsWith("file="))) return []
    for (const flag of flags) {
      if (!known.has(flag)) {
        throw new Error(`${file}:${firstLine + fence.from}: "${flag}" is not one of ${[...known].join(", ")}`)
      }
    }
    const next = fences[index + 1]
    const follows = next?.language === "txt" && lines.slice(fence.to, next.from).every((line) => line.trim() === "")
    return [
      {
        file,
        line: firstLine + fence.from + 1,
        code: fence.text,
        run: !flags.includes("no-run"),
        redis: flags.includes("redis"),
        whole,
        name: whole ? /^\/\/ ([a-z][A-Za-z0-9-]*\.ts)(?:\n|$)/.exec(fence.text)?.[1] : undefined,
        prints: whole && follows ? next.text : "",
        beside: links.filter((link) => fence.text.includes(`"./${basename(link)}"`))
      }
    ]
  })
}

/** The blocks of a markdown text. */
export const fromMarkdown = (file: string, text: string): Array<Snippet> => blocksOf(file, text.split("\n"), 1, true)

/** The blocks of the doc comments of a source text. */
export const fromSource = (file: string, text: string): Array<Snippet> => {
  const snippets: Array<Snippet> = []
  for (const comment of text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)) {
    const firstLine = text.slice(0, comment.index).split("\n").length
    const lines = comment[0]
      .replace(/\*\/$/, "")
      .split("\n")
      .map((line) => line.replace(/^\s*\/?\*+ ?/, ""))
    snippets.push(...blocksOf(file, lines, firstLine, false))
  }
  return snippets
}

/** Every block of the repository's documentation. */
export const collect = (): Array<Snippet> => {
  const read = (file: string): string => readFileSync(root + file, "utf8")
  return [
    ...globSync(["README.md", "CONTRIBUTING.md", "docs/**/*.md"], { cwd: root })
      .sort()
      .flatMap((file) => fromMarkdown(file, read(file))),
    ...globSync("src/**/*.ts", { cwd: root })
      .sort()
      .flatMap((file) => fromSource(file, read(file)))
  ]
}

/** The text of the module for a snippet, and the number of lines before the snippet's own. */
export const moduleOf = ({ code, whole }: Snippet): { readonly text: string; readonly offset: number } => {
  const before = whole || /^import assert\b/m.test(code) ? [] : ['import assert from "node:assert/strict"']
  return { text: [...before, code, ""].join("\n"), offset: before.length }
}

/** Writes each snippet as a module below `.tmp/snippets`, those of a page in one folder, with a tsconfig beside them. */
export const write = (snippets: ReadonlyArray<Snippet>): Array<SnippetModule> => {
  rmSync(folder, { recursive: true, force: true })
  const modules = snippets.map((snippet): SnippetModule => {
    const { offset, text } = moduleOf(snippet)
    const page = snippet.file.replace(/[^a-zA-Z0-9]+/g, "-")
    const path = `${folder}${page}/${snippet.name ?? `${snippet.line}.ts`}`
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    for (const example of snippet.beside) copyFileSync(root + example, join(dirname(path), basename(example)))
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
      include: ["*/*.ts"]
    })
  )
  return modules
}

/** The place in the documentation of a line of a module. */
const placeOf = ({ offset, snippet }: SnippetModule, line: number): string =>
  `${snippet.file}:${snippet.line + Math.max(0, line - offset - 1)}`

/** Turns the compiler's diagnostics of modules into diagnostics of the documentation; those of other files are left out. */
export const diagnosticsOf = (modules: ReadonlyArray<SnippetModule>, output: string): Array<string> => {
  const found: Array<string> = []
  let inside = false
  for (const line of output.split("\n")) {
    const head = /^(\S.*)\((\d+),(\d+)\): (error .*)$/.exec(line)
    if (head === null) {
      // An indented line belongs to the diagnostic above it.
      if (inside && /^\s+\S/.test(line)) found.push(line)
      continue
    }
    // The compiler names files by their way from where it was started.
    const module = modules.find(({ path }) => `/${head[1]}`.endsWith(path.slice(folder.length - 1)))
    inside = module !== undefined
    if (module !== undefined) found.push(`${placeOf(module, Number(head[2]))}:${head[3]} ${head[4]}`)
  }
  return found
}

/** The place in the documentation that an error of a module, or a process that ran it, points to. */
export const placeIn = (module: SnippetModule, stack: string): string => {
  const at = stack.indexOf(module.path)
  const line = at < 0 ? null : /^:(\d+)/.exec(stack.slice(at + module.path.length))
  return placeOf(module, line === null ? module.offset + 1 : Number(line[1]))
}

/** The error of a module that ran, with the place in the documentation where it came from. */
export const located = (module: SnippetModule, error: unknown): Error => {
  const place = placeIn(module, error instanceof Error ? (error.stack ?? "") : "")
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new Error(`${place}: ${message}`, { cause: error })
}
