/**
 * What is said of a failure holds no secret; where a redirection leads to is none.
 */
import { assert, describe, it } from "@effect/vitest"
import { makeDescribe } from "../../../src/stores/redis/wire/describe.ts"

describe("makeDescribe", () => {
  const say = makeDescribe(["redis"])

  it("repeats no secret", () => {
    assert.strictEqual(say(new Error("ERR unknown user redis")), "ERR unknown user ***")
    assert.strictEqual(say(new Error("MOVED 1 redis")), "MOVED 1 ***")
  })

  it("leaves a redirection as it is, also where a password is part of the host", () => {
    for (const text of [
      "MOVED 866 redis-1.redis:6379",
      "ASK 866 redis-1.redis:6379",
      "MOVED 866 ::1:6379",
      "MOVED 866 :6379"
    ]) {
      assert.strictEqual(say(new Error(text)), text)
    }
  })
})
