/**
 * Puts files into the pages that show them: each block of `docs/` whose fence says `ts file=<path>` becomes that file.
 *
 * `node scripts/docs-files.ts`. A test looks whether a page still shows what is in the files.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))

export interface Page {
  readonly path: string
  readonly before: string
  readonly after: string
  /** What it shows. */
  readonly files: ReadonlyArray<string>
}

const fence = /^```ts file=(\S+)\n[^]*?^```$/gm

export const pages = (): ReadonlyArray<Page> =>
  globSync("docs/**/*.md", { cwd: root })
    .sort()
    .map((path) => {
      const before = readFileSync(root + path, "utf8")
      const files: Array<string> = []
      const after = before.replace(fence, (_, file: string) => {
        files.push(file)
        return `\`\`\`ts file=${file}\n${readFileSync(root + file, "utf8").trimEnd()}\n\`\`\``
      })
      return { path, before, after, files }
    })

if (import.meta.main) {
  for (const { after, before, path } of pages()) {
    if (after === before) continue
    writeFileSync(root + path, after)
    console.log(`written: ${path}`)
  }
}
