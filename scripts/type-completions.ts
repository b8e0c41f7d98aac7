/**
 * What an editor offers inside the quotes of an option, on each TypeScript whose language service can be asked from here. It needs
 * the declarations that `type-messages.ts` has put into its folder.
 */
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type * as ts from "../typetest/node_modules/typescript/lib/typescript.js"
import { parsedBy } from "./type-hovers.ts"
import { folder } from "./type-messages.ts"

const durations = "1 day, 1 hour, 1 minute, 10 seconds, 30 seconds, 5 minutes, 500 millis, -Infinity, Infinity"
const load = "({ id }: { readonly id: string }) => find(id)"

/**
 * `|` is where one types. What is offered is compared in any order, and is all that is offered: no sentence is among it. Of words that
 * a type parameter stands for, TypeScript 5.9 offers its default alone.
 */
const cases: ReadonlyArray<readonly [code: string, offered: string, by59?: string]> = [
  ['CacheRegion.make({ key: "u:{id}", schema: User, ttl: "|" })', durations],
  ['CacheRegion.make({ key: "u:{id}", schema: User, ttl: () => "|" })', durations],
  ['cacheAside({ key: "u:{id}", schema: User, ttl: "|" })', durations],
  [`cacheAside(${load}, { key: "u:{id}", schema: User, ttl: "|" })`, durations],
  ['memoize({ name: "a", ttl: "|" })', durations],
  ['stampedeProtect(Users, { lockTtl: "|" })', durations],
  ['stampedeProtect({ key: "u:{id}", schema: User, waitTimeout: "|" })', durations],
  ['stampedeProtect(Users, { onTimeout: "|" })', "fail, load", "load"],
  ['stampedeProtect({ key: "u:{id}", schema: User, onTimeout: "|" })', "fail, load", "load"],
  [`stampedeProtect(${load}, { key: "u:{id}", schema: User, onTimeout: "|" })`, "fail, load", "load"],
  ['CacheRegion.make({ key: "u:{id}", schema: User, onCacheError: "|" })', "bypass, fail", "bypass"],
  ['cacheAside({ key: "u:{id}", schema: User, onCacheError: "|" })', "bypass, fail", "bypass"],
  ['writeThrough({ key: "u:{id}", schema: User, onCacheError: "|" })', "bypass, fail", "bypass"],
  ['writeAround({ key: "u:{id}", schema: User, onCacheError: "|" })', "bypass, fail", "bypass"],
  ['writeAround({ keys: ["a"], onCacheError: "|" })', "bypass, fail", "bypass"],
  ['writeAround(find("1"), { keys: ["a"], onCacheError: "|" })', "bypass, fail", "bypass"],
  ['CacheRegion.make({ key: "u:{id}", schema: User, tags: "|" })', ""],
  ['invalidateTags("|")', ""]
]

const head = `
import { CacheRegion, cacheAside, invalidateTags, memoize, stampedeProtect, writeAround, writeThrough } from "./src/index.js"
import { find, User, Users } from "./shared.ts"
`

const sorted = (names: ReadonlyArray<string>): string => [...names].sort().join(", ")

const failuresOn = (place: string): ReadonlyArray<string> => {
  const compiler: typeof ts = createRequire(new URL(`../${place}package.json`, import.meta.url))("typescript")
  const file = `${folder}/completions.ts`
  const config = compiler.readConfigFile(`${folder}/tsconfig.json`, compiler.sys.readFile)
  const { options } = compiler.parseJsonConfigFileContent(config.config, compiler.sys, folder)
  let text = ""
  let version = 0
  const host: ts.LanguageServiceHost = {
    ...compiler.sys,
    useCaseSensitiveFileNames: () => compiler.sys.useCaseSensitiveFileNames,
    getScriptFileNames: () => [file],
    getScriptVersion: (name) => (name === file ? String(version) : "0"),
    getScriptSnapshot: (name) =>
      name === file
        ? compiler.ScriptSnapshot.fromString(text)
        : existsSync(name)
          ? compiler.ScriptSnapshot.fromString(readFileSync(name, "utf8"))
          : undefined,
    getCurrentDirectory: () => folder,
    getCompilationSettings: () => options,
    getDefaultLibFileName: (given) => compiler.getDefaultLibFilePath(given)
  }
  const service = compiler.createLanguageService(host, parsedBy(compiler))
  return cases.flatMap(([code, always, by59 = always]) => {
    text = head + code.replace("|", "")
    version++
    const found = service.getCompletionsAtPosition(file, head.length + code.indexOf("|"), {})
    const names = sorted((found?.entries ?? []).map(({ name }) => name))
    const offered = compiler.version.startsWith("5.") ? by59 : always
    const expected = sorted(offered === "" ? [] : offered.split(", "))
    return names === expected ? [] : [`${compiler.version}: ${code}\n  expected: ${expected}\n  got: ${names}`]
  })
}

/** Asks, and prints what is offered otherwise. */
export const checkCompletions = (): { readonly passed: number; readonly failed: number } => {
  const places = ["typetest/", "typetest-oldest/"]
  const failures = places.flatMap(failuresOn)
  for (const failure of failures) console.error(failure)
  console.log(`What editors offer: ${cases.length} places on ${places.length} versions, ${failures.length} failed`)
  return { passed: cases.length * places.length - failures.length, failed: failures.length }
}
