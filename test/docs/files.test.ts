/**
 * Pages that show files show them as they are.
 */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { pages } from "../../scripts/docs-files.ts"
import { fromMarkdown } from "./snippets.ts"

const examples = fileURLToPath(new URL("../../examples/", import.meta.url))

describe("a page that shows files", () => {
  for (const { after, before, files, path } of pages().filter(({ files }) => files.length > 0)) {
    it(`${path} shows ${files.length} as they are (node scripts/docs-files.ts writes them anew)`, () =>
      assert.strictEqual(before, after))
  }

  it("is, for the service, one that shows them all", () => {
    const shown = pages().find(({ path }) => path === "docs/service.md")?.files
    const there = readdirSync(`${examples}service`).map((name) => `examples/service/${name}`)
    assert.deepStrictEqual(shown?.toSorted(), there.toSorted())
  })

  it("has no snippets in these blocks: the compiler and the tests see the files", () => {
    assert.deepStrictEqual(fromMarkdown("a.md", "```ts file=a.ts\nconst a = 1\n```"), [])
  })
})
