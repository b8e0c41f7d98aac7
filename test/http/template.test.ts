/** What does not go with a key that has placeholders. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { CacheError } from "effect-cache"
import { cachedResponse } from "effect-cache/http"

const refused = (options: object): string => {
  try {
    cachedResponse(Effect.succeed(HttpServerResponse.empty()), "page:{slug}", { ttl: "1 minute", ...options })
  } catch (error) {
    assert.instanceOf(error, CacheError)
    return error.message
  }
  return "nothing was refused"
}

describe("a key with placeholders", () => {
  it("names its parameters itself: query beside it would make no difference", () => {
    assert.include(refused({ query: ["lang"] }), "as in {page?}")
  })

  it("has no tags that look like it", () => {
    assert.include(refused({ tags: ["pages", "page:{slug}"] }), "a function such as ({ request }) =>")
  })
})
