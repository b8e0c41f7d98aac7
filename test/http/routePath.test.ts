/**
 * The parameters in the path of a route: those that the router finds there.
 */
import { assert, describe, it } from "@effect/vitest"
import { FindMyWay } from "effect/http"
import { inPath } from "../../src/http/routePath.ts"

describe("the parameters in a path", () => {
  for (const [path, url] of [
    ["/", "/"],
    ["/users/:id", "/users/1"],
    ["/users/:id?", "/users/1"],
    ["/files/*", "/files/a/b"],
    ["*", "/a"],
    ["/:a/x/:b_2/*", "/1/x/2/3"],
    ["/at/:hour(\\d+)h:minute(\\d+)m", "/at/08h24m"],
    ["/:file(.*\\(.*\\)).:kind", "/a(b).txt"],
    ["/:from-:to.:kind", "/a-b.c"],
    ["/a::b/:c", "/a:b/1"],
    ["/:na~me", "/1"]
  ] as const) {
    it(path, () => {
      const router = FindMyWay.make<number>()
      router.on("GET", path, 1)
      const found = router.find("GET", url)
      assert.deepStrictEqual([...inPath(path)].sort(), Object.keys(found?.params ?? { "not found": "" }).sort())
    })
  }
})
