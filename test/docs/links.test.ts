/**
 * Links between documents lead to files and headings that are there. `test/package` looks whether the package has the files.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { root } from "./snippets.ts"

const read = (file: string): string => readFileSync(root + file, "utf8")

/** Without what is code. */
const prose = (text: string): string =>
  text.replace(/^(\s*)(`{3,}|~{3,})[^]*?^\s*\2\s*$/gm, "").replace(/`[^`\n]*`/g, "")

/** The anchors that GitHub gives the headings of a text. */
const anchorsOf = (text: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  const headings = text.replace(/^(\s*)(`{3,}|~{3,})[^]*?^\s*\2\s*$/gm, "").matchAll(/^#{1,6} +(.+?) *$/gm)
  return new Set(
    [...headings].map(([, title]) => {
      const plain = title!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "")
      const slug = plain
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-")
      const times = seen.get(slug) ?? 0
      seen.set(slug, times + 1)
      return times === 0 ? slug : `${slug}-${times}`
    })
  )
}

interface Link {
  readonly target: string
  readonly anchor: string | undefined
}

/** The links of a document to others of ours, from the root. */
const linksOf = (file: string): ReadonlyArray<Link> =>
  [...prose(read(file)).matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path, anchor] = link.split("#", 2)
      return { target: path === "" ? file : join(dirname(file), path!), anchor }
    })

const documents = globSync(["*.md", "{docs,examples,verify}/**/*.md", ".github/**/*.md"], {
  cwd: root,
  exclude: (name) => name === "node_modules"
}).sort()

describe("links", () => {
  for (const file of documents) {
    it(file, () => {
      for (const { anchor, target } of linksOf(file)) {
        assert.isTrue(existsSync(root + target), `${file} links to ${target}`)
        if (anchor !== undefined && target.endsWith(".md")) {
          assert.isTrue(anchorsOf(read(target)).has(anchor), `${file} links to #${anchor} of ${target}`)
        }
      }
    })
  }

  it("and diagrams: none holds a `;`, which ends a statement there", () => {
    const diagrams = documents.flatMap((file) =>
      [...read(file).matchAll(/```mermaid\n([^]*?)```/g)].map(([text]) => [file, text])
    )
    assert.isAbove(diagrams.length, 10)
    assert.deepStrictEqual(
      diagrams.filter(([, text]) => text!.includes(";")).map(([file]) => file),
      []
    )
  })

  it("are found, and anchors are those of headings", () => {
    assert.isAbove(documents.flatMap(linksOf).length, 50)
    assert.deepStrictEqual(
      [...anchorsOf("# One, two: `three`\n## [Four](x.md) & five\n```\n# no\n```\n### One, two: three\n")],
      ["one-two-three", "four--five", "one-two-three-1"]
    )
  })
})
