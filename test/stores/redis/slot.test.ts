/**
 * The slot of a key, beside what a server says.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { calculateSlot } from "../../../src/stores/redis/nodes/slot.ts"
import { diceOf } from "../../support/dice.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { admin } from "./support.ts"

const pieces = ["{", "}", "{}", "a", "user", ":", "1", "é", "€", "😀", "%7B"]

it.live("the slot of any key is the one that Redis computes", () =>
  Effect.gen(function*() {
    const server = yield* RedisServer.scoped({ cluster: true })
    const client = yield* admin(server)
    const { below, pick } = diceOf(7)
    const keys = [
      ...["", "123456789", "{}", "a{}", "{}{b}", "{}}", "a{b}c{d}", "{{x}}", "a}{b", "a{b", "{user:1}:x", "{€}é"],
      ...Array.from({ length: 2_000 }, () => Array.from({ length: below(8) }, () => pick(pieces)).join(""))
    ]
    const said = yield* Effect.promise(() => Promise.all(keys.map((key) => client.cluster("KEYSLOT", key))))
    assert.deepStrictEqual(
      keys.map((key) => [key, calculateSlot(key)]),
      keys.map((key, i) => [key, said[i]])
    )
  })
)
