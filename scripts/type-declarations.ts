/**
 * The declarations of a program that exports what it makes of this package (`typetest/declared.ts`): the newest and the oldest TypeScript
 * that are supported write them, with names that the entry points have, and read them. It needs what `type-messages.ts` has put into its folder, which
 * it lays out as the package is installed: what can be imported from there is what `exports` says.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { folder, root, tsc, versions } from "./type-messages.ts"

const place = `${folder}/declared`
const installed = `${place}/node_modules/effect-cache`

const config = (more: object, file: string): string =>
  JSON.stringify({
    compilerOptions: {
      target: "ES2023",
      lib: ["ES2023", "DOM"],
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      types: [],
      ...more
    },
    files: [file]
  })

/** What is wrong with the declarations: what the compiler says of the program, and paths and types that it should not have written. */
const failuresOf = (said: string, written: string): ReadonlyArray<string> => [
  ...said.split("\n").filter((line) => /(declared\.(d\.)?|read\d\.)ts\(|^error/.test(line)),
  ...written.split("\n").filter((line) => /import\("(\.|effect-cache\/dist)|\bany\b/.test(line))
]

/** Writes and reads them, and prints what is wrong. */
export const checkDeclarations = async (): Promise<{ readonly passed: number; readonly failed: number }> => {
  mkdirSync(installed, { recursive: true })
  cpSync(`${folder}/src`, `${installed}/dist`, { recursive: true })
  cpSync(`${root}package.json`, `${installed}/package.json`)
  const program = readFileSync(`${root}typetest/declared.ts`, "utf8")
  writeFileSync(
    `${place}/declared.ts`,
    program.replaceAll(/"\.\.\/src\/(.*?)\/?index\.ts"/g, (_, sub: string) => `"effect-cache${sub && `/${sub}`}"`)
  )
  writeFileSync(`${place}/package.json`, JSON.stringify({ type: "module" }))
  const asked = versions.filter((_, i) => i === 0 || i === versions.length - 1)
  const each = asked.map(async ([name, bin], i): Promise<boolean> => {
    const out = `out${i}`
    const write = { skipLibCheck: true, declaration: true, emitDeclarationOnly: true, outDir: out }
    writeFileSync(`${place}/tsconfig.write${i}.json`, config(write, "declared.ts"))
    const said = await tsc(bin, ["-p", `${place}/tsconfig.write${i}.json`])
    const written = readFileSync(`${place}/${out}/declared.d.ts`, "utf8")
    // As a source: with declarations all those of Effect would be checked.
    writeFileSync(`${place}/read${i}.ts`, written)
    writeFileSync(`${place}/tsconfig.read${i}.json`, config({ noEmit: true, skipLibCheck: true }, `read${i}.ts`))
    const failures = failuresOf(
      said + (await tsc(bin, ["-p", `${place}/tsconfig.read${i}.json`])),
      written.replaceAll(/\/\*.*?\*\//g, "")
    )
    for (const failure of failures) console.error(`${name}: ${failure}`)
    return failures.length > 0
  })
  const failed = (await Promise.all(each)).filter((one) => one).length
  console.log(`What is exported has declarations: ${asked.length} versions, ${failed} failed`)
  return { passed: asked.length - failed, failed }
}
