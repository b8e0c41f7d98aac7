/**
 * Copies in a context of its own, as test runners make for each file: `structuredClone` is that of the process. A file of its own,
 * because what the clone of a plain object looks like is found out once.
 */
import { runInNewContext } from "node:vm"
import { assert, it } from "@effect/vitest"
import { vi } from "vitest"
import { copyOf, NotCopied } from "../../src/engine/copy.ts"

class Point {
  readonly x = 1
}

it("copies plain objects where structuredClone is that of another context", () => {
  const elsewhere = runInNewContext("(text) => JSON.parse(text)") as (text: string) => unknown
  const clone = vi.spyOn(globalThis, "structuredClone").mockImplementation((value) => elsewhere(JSON.stringify(value)))
  try {
    assert.strictEqual(JSON.stringify(copyOf({ a: [{ b: 1 }] })), '{"a":[{"b":1}]}')
    assert.throws(() => copyOf({ a: new Point() }), NotCopied)
  } finally {
    clone.mockRestore()
  }
})
