import { Effect } from "effect"
import { describe, expect, it } from "tstyche"
import type { CacheError, InvalidKey } from "../src/CacheError.ts"

declare const failing: Effect.Effect<number, CacheError>

describe("CacheError", () => {
  it("gives one reason to its handler", () => {
    failing.pipe(
      Effect.catchReason("CacheError", "InvalidKey", (reason) => {
        expect(reason).type.toBe<InvalidKey>()
        return Effect.succeed(0)
      })
    )
  })

  it("knows its reasons", () => {
    expect<CacheError["reason"]["_tag"]>().type.toBe<
      | "InvalidKey"
      | "InvalidOption"
      | "EncodeFailed"
      | "TimedOut"
      | "Unavailable"
      | "NotReplicated"
      | "NoRoom"
      | "WaitTimeout"
      | "LockLost"
    >()
  })
})
