/**
 * The lease of writes on Redis: what it says is what `protocol/lease.ts` says, whatever was there.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { asWriteToken, joined, left, maxListed, voided } from "../../../src/protocol/lease.ts"
import { sharedRedis } from "../../support/client.ts"
import { eventually, openStore, scoped } from "./support.ts"
import { write } from "../../../src/testing/conformance/values.ts"

const server = sharedRedis()
const setup = Effect.flatMap(server, openStore)

const ttl = 60_000
const [one, two, three] = ["one", "two", "three"].map(asWriteToken) as [string, string, string]

describe("what the lease says", () => {
  it.effect(
    "is what the functions say",
    scoped(
      Effect.gen(function*() {
        const { backend, text } = yield* setup
        yield* backend.takeOver("k", one, ttl, "write")
        let expected = one
        const step = (what: string, next: string) =>
          Effect.map(text("l:{k}"), (found) => {
            assert.strictEqual(found, next, what)
            expected = next
          })
        yield* step("alone", one)
        yield* backend.takeOver("k", two, ttl, "write")
        yield* step("joined", joined(expected, two))
        yield* backend.takeOver("k", two, ttl, "write")
        yield* step("joined again", expected)
        yield* backend.remove(["k"])
        yield* step("an invalidation", voided(expected))
        yield* backend.takeOver("k", three, ttl, "write")
        yield* step("joined", joined(expected, three))
        yield* backend.takeOver("k", "set", ttl, "set")
        yield* step("a set", voided(expected))
        yield* backend.release("k", two, "keep")
        yield* step("the one in the middle ends", left(expected, two)!)
        yield* backend.release("k", two, "keep")
        yield* step("again, from the background", expected)
        yield* backend.release("k", one, "unlink")
        yield* step("the first ends", left(expected, one)!)
        yield* backend.release("k", three, "unlink")
        assert.isNull(yield* text("l:{k}"))
      })
    )
  )

  it.effect(
    "of more writes than are listed ends by itself",
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace, text } = yield* setup
        const tokens = Array.from({ length: maxListed + 2 }, (_, i) => asWriteToken(`${i}`))
        let expected = tokens[0]!
        for (const token of tokens) {
          yield* backend.takeOver("k", token, ttl, "write")
          expected = joined(expected, token)
          assert.strictEqual(yield* text("l:{k}"), expected)
        }
        assert.isTrue(yield* backend.renew("k", tokens.at(-1)!, 2 * ttl))
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:l:{k}`)), ttl)
        assert.isFalse(yield* backend.renew("k", "a load", ttl))
        for (const token of tokens) {
          assert.isFalse(yield* backend.fill("k", token, write(backend, 1), "unlink"))
          expected = left(expected, token)!
          assert.strictEqual(yield* text("l:{k}"), expected)
        }
        assert.isAbove(yield* Effect.promise(() => client.pttl(`${namespace}:l:{k}`)), 0)
        assert.strictEqual(yield* backend.acquire("k", "a load", ttl), expected)
      })
    )
  )
})

describe("whatever is in the place of a lease", () => {
  for (const [what, plant] of [
    ["a list", ["lpush", "v:1:w:one"]],
    ["text of nobody", ["set", "v:x:w:one"]],
    ["a lease without an end", ["set", "v:1:w:two"]],
    ["nothing listed", ["set", "v:1:"]]
  ] as const) {
    it.effect(
      `is removed, taken over and left: ${what}`,
      scoped(
        Effect.gen(function*() {
          const { backend, client, namespace } = yield* setup
          const lease = `${namespace}:l:{k}`
          const put = Effect.promise(async () => {
            await client.del(lease)
            await client.call(plant[0], lease, plant[1])
          })
          yield* put
          assert.strictEqual(yield* backend.remove(["k"]), 0)
          yield* put
          assert.strictEqual(yield* backend.removeMatching("k"), 0)
          yield* put
          assert.strictEqual(yield* backend.takeOver("k", one, ttl, "write"), one)
          assert.isAbove(yield* Effect.promise(() => client.pttl(lease)), 0)
          yield* put
          yield* backend.takeOver("k", "set", ttl, "set")
          yield* put
          yield* backend.takeOver("k", "refresh", ttl, "refresh")
          yield* put
          assert.isFalse(yield* backend.fill("k", one, write(backend, 1), "unlink"))
          yield* put
          assert.isFalse(yield* backend.release("k", one, "keep"))
          assert.isUndefined(yield* backend.read("k"))
        })
      )
    )
  }
})

it.effect(
  "who waits for writes hears of the end of the last",
  scoped(
    Effect.gen(function*() {
      const { backend, client, namespace } = yield* setup
      yield* backend.takeOver("k", one, ttl, "write")
      yield* backend.takeOver("k", two, ttl, "write")
      yield* backend.release("k", one, "unlink")
      const holder = yield* backend.acquire("k", "waits", ttl)
      const waiting = yield* Effect.forkChild(backend.awaitRelease("k", holder))
      yield* eventually(
        Effect.promise(async () => {
          const [, listening] = (await client.pubsub("NUMSUB", `${namespace}:n:k`)) as [string, number]
          return listening > 0
        })
      )
      assert.isUndefined(waiting.pollUnsafe())
      yield* backend.fill("k", two, write(backend, 1), "unlink")
      yield* Fiber.join(waiting)
    })
  )
)
