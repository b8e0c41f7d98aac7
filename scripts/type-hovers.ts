/**
 * What an editor shows, on each TypeScript that has a language service in JavaScript: of each constant of `typetest/hovers.ts` that
 * follows a directive, what the directive says.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type * as TypeScript from "../typetest/node_modules/typescript/lib/typescript.js"

const directive = /\/\/ it shows: (.+)\n\s*(?:export )?const /g

/** Where each constant is, and what is expected of it. */
const expectedOf = (
  text: string
): ReadonlyArray<{ readonly at: number; readonly line: number; readonly said: string }> =>
  Array.from(text.matchAll(directive), (found) => {
    const at = found.index + found[0].length
    return { at, line: text.slice(0, at).split("\n").length, said: found[1]! }
  })

/** The members of a union come in the order in which a compiler met them. */
const inOrder = (text: string): string =>
  text.replace(/\w+(?: \| \w+)+/g, (union) => union.split(" | ").sort().join(" | "))

const registries = new WeakMap<object, TypeScript.DocumentRegistry>()

/** What services of one TypeScript have parsed, which is most of what they do. */
export const parsedBy = (ts: typeof TypeScript): TypeScript.DocumentRegistry => {
  const found = registries.get(ts) ?? ts.createDocumentRegistry()
  registries.set(ts, found)
  return found
}

/** Asks the language service of a TypeScript, in a folder with `tsconfig.json`, and says what is shown otherwise. */
export const hoversIn = (
  compiler: string,
  folder: string
): { readonly count: number; readonly failures: ReadonlyArray<string> } => {
  const ts = createRequire(compiler)(compiler) as typeof TypeScript
  const config = ts.readConfigFile(`${folder}/tsconfig.json`, ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config.config, ts.sys, folder)
  const host: TypeScript.LanguageServiceHost = {
    ...ts.sys,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
    getScriptFileNames: () => fileNames,
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) =>
      ts.sys.fileExists(name) ? ts.ScriptSnapshot.fromString(ts.sys.readFile(name)!) : undefined,
    getCurrentDirectory: () => folder,
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath
  }
  const service = ts.createLanguageService(host, parsedBy(ts))
  const file = `${folder}/hovers.ts`
  const expected = expectedOf(readFileSync(file, "utf8"))
  const failures = expected.flatMap(({ at, line, said }) => {
    const parts = service.getQuickInfoAtPosition(file, at)?.displayParts ?? []
    const shown = parts
      .map(({ text }) => text)
      .join("")
      .replace(/\s+/g, " ")
      .replace(/^const \w+: /, "")
    return inOrder(shown) === inOrder(said) ? [] : [`hovers.ts:${line}: expected: ${said}\n  got: ${shown}`]
  })
  return { count: expected.length, failures }
}
