/**
 * What the compiler says, on each TypeScript that is supported: `typetest/right.ts` compiles, and of each line of
 * `typetest/mistakes.ts` and `typetest/cases/` that follows a directive it says what the directive does; an editor shows of
 * `typetest/hovers.ts` what is said there. And what a large program costs the compiler.
 *
 * All of it is compiled against declarations as they are published.
 */
import { execFile } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { largeProgram } from "./large-program.ts"
import { hoversIn } from "./type-hovers.ts"

export const root = fileURLToPath(new URL("../", import.meta.url))
/** Where it is compiled, with the declarations in `src`. */
export const folder = `${root}.tmp/typetest`
/** The files with directives. Their names differ. */
const mistaken = ["mistakes.ts", ...readdirSync(`${root}typetest/cases`).map((file) => `cases/${file}`)]
const compilerOf = (place: string): string =>
  createRequire(`${root}${place}package.json`)
    .resolve("typescript/package.json")
    .replace(/package\.json$/, "bin/tsc")
const newest = compilerOf("")
export const versions = [
  ["TypeScript 7", newest],
  ["TypeScript 6", compilerOf("typetest/")],
  ["TypeScript 5.9", compilerOf("typetest-oldest/")]
] as const

/** How many instantiations the large program may take: 200 regions and 400 functions. What is there now is near. */
const maxInstantiations = 410_000

export const tsc = (bin: string, args: ReadonlyArray<string>): Promise<string> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [bin, ...args, "--pretty", "false"],
      { cwd: root, maxBuffer: 1 << 26 },
      (_, stdout, stderr) => resolve(stdout + stderr)
    )
  })

interface Diagnostic {
  readonly file: string
  readonly line: number
  /** With the lines of its elaboration. */
  readonly text: string
}

const diagnosticsIn = (output: string): ReadonlyArray<Diagnostic> => {
  const found: Array<{ file: string; line: number; text: string }> = []
  for (const line of output.split("\n")) {
    const [, file, at, text] = /^(\S+)\((\d+),\d+\): error (TS\d+: .*)$/.exec(line) ?? []
    if (file !== undefined) found.push({ file: file.replace(/^.*\//, ""), line: Number(at), text: text! })
    else if (line.startsWith(" ") && found.length > 0) found.at(-1)!.text += `\n${line}`
    // What is not of a file, such as a wrong option: nothing may get lost.
    else if (line.includes("error TS")) found.push({ file: "", line: 0, text: line })
  }
  return found
}

const directive = /^ *\/\/ @ts-expect-error (.+)$/

/** The lines that a message is expected of, as `file:number`, with a part of that message. */
const expectedOf = (file: string, text: string): ReadonlyArray<readonly [at: string, said: string]> =>
  text.split("\n").flatMap((line, i) => {
    const said = directive.exec(line)?.[1]
    return said === undefined ? [] : [[`${basename(file)}:${i + 2}`, said] as const]
  })

/** The text of literal types is printed with escapes. */
const plain = (text: string): string => text.replaceAll('\\"', '"')

const failuresOf = (expected: ReadonlyMap<string, string>, found: ReadonlyArray<Diagnostic>): ReadonlyArray<string> => {
  const failures: Array<string> = []
  for (const [at, said] of expected) {
    const all = found.filter((one) => `${one.file}:${one.line}` === at)
    if (all.length === 0) failures.push(`${at}: compiles; expected: ${said}`)
    else if (!all.some(({ text }) => plain(text).includes(said)))
      failures.push(`${at}: expected: ${said}\n  got: ${all.map(({ text }) => plain(text)).join("\n  and: ")}`)
  }
  for (const { file, line, text } of found) {
    if (!expected.has(`${file}:${line}`)) failures.push(`${file}:${line}: ${text}`)
  }
  return failures
}

const config = (files: ReadonlyArray<string>): string =>
  JSON.stringify({
    compilerOptions: {
      target: "ES2023",
      lib: ["ES2023"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      types: [],
      noEmit: true
    },
    files
  })

/** Checks it all, prints what is wrong, and says how much was right. */
export const checkMessages = async (): Promise<{ readonly passed: number; readonly failed: number }> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(`${folder}/cases`, { recursive: true })
  const declarations = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--declarationMap", "false"]
  await tsc(newest, [...declarations, "--outDir", `${folder}/src`])
  const texts = new Map(
    ["shared.ts", "right.ts", "generic.ts", "hovers.ts", ...mistaken].map((file) => [
      file,
      readFileSync(`${root}typetest/${file}`, "utf8")
    ])
  )
  const expected = new Map(mistaken.flatMap((file) => expectedOf(file, texts.get(file)!)))
  const write = (file: string, text: string) =>
    writeFileSync(`${folder}/${file}`, text.replaceAll("../src/index.ts", "./src/index.js"))
  for (const [file, text] of texts) write(file, text.replaceAll("// @ts-expect-error", "// it says:"))
  write("large.ts", largeProgram(200))
  writeFileSync(`${folder}/tsconfig.json`, config([...texts.keys()]))
  writeFileSync(`${folder}/tsconfig.large.json`, config(["large.ts"]))

  // All begin at once: the compilers are processes of their own, and what editors show is asked for here meanwhile.
  const compiled = Promise.all(versions.map(([, bin]) => tsc(bin, ["-p", folder])))
  const large = tsc(newest, ["-p", `${folder}/tsconfig.large.json`, "--diagnostics"])
  let passed = 0
  let failed = 0
  for (const [name, bin] of versions.slice(1)) {
    const { count, failures } = hoversIn(bin.replace(/bin\/tsc$/, "lib/typescript.js"), folder)
    for (const failure of failures) console.error(`${name}: ${failure}`)
    passed += count - failures.length
    failed += failures.length
    console.log(`What an editor shows: ${count} on ${name}, ${failures.length} failed`)
  }

  const outputs = await compiled
  let wrongMessages = 0
  versions.forEach(([name], i) => {
    const failures = failuresOf(expected, diagnosticsIn(outputs[i]!))
    for (const failure of failures) console.error(`${name}: ${failure}`)
    passed += expected.size + 1 - Math.min(failures.length, expected.size + 1)
    wrongMessages += failures.length
  })
  failed += wrongMessages
  console.log(
    `What the compiler says: ${expected.size} mistakes on ${versions.length} versions, ${wrongMessages} failed`
  )

  const output = await large
  const instantiations = Number(/^Instantiations:\s+(\d+)/m.exec(output)?.[1] ?? Number.NaN)
  const wrong = diagnosticsIn(output)
  const well = wrong.length === 0 && instantiations <= maxInstantiations
  console.log(`200 regions and 400 functions: ${instantiations} instantiations of at most ${maxInstantiations}`)
  for (const { line, text } of wrong) console.error(`large.ts:${line}: ${text}`)
  return { passed: passed + Number(well), failed: failed + Number(!well) }
}
