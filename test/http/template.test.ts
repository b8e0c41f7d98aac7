/** What does not go with a key that has placeholders. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { CacheError } from "effect-cache"
import { cachedResponse } from "effect-cache/http"

describe("a key with placeholders", () => {
  it("names its parameters itself: query beside it would make no difference", () => {
    try {
      cachedResponse(Effect.succeed(HttpServerResponse.empty()), "page:{slug}", { ttl: "1 minute", query: ["lang"] })
      assert.fail("nothing was refused")
    } catch (error) {
      assert.instanceOf(error, CacheError)
      assert.include(error.message, "query is")
      assert.include(error.message, "as in {page?}")
    }
  })
})
