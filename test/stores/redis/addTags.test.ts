/**
 * The script that adds tags to an entry inside Redis, against `addTags` of `CacheEntry`: the same bytes, whatever they are.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { addTags, decode, encode, open, type EntryHeader } from "../../../src/CacheEntry.ts"
import { encodeTag, VERSION } from "../../../src/entry/layout.ts"
import { nodeCompressor } from "../../../src/platform/nodeCompressor.ts"
import * as Scripts from "../../../src/stores/redis/backendScripts.ts"
import { RedisServer } from "../../support/redisServer.ts"
import { diceOf } from "../../support/dice.ts"

const header: EntryHeader = {
  born: 7,
  createdAt: 1000,
  freshUntil: 2000,
  loadMillis: 1.5,
  fingerprint: "abcdefghijkl",
  tags: []
}
const long = (length: number) => "x".repeat(length)
const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)

describe("the script", () => {
  it.effect("gives the bytes that addTags gives", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const server = yield* RedisServer.scoped()
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(server.port, { maxRetriesPerRequest: 1 })),
          (client) => Effect.sync(() => client.disconnect())
        )
        const inRedis = (bytes: Uint8Array, tags: ReadonlyArray<string>) =>
          Effect.promise(async () => {
            await client.set("k", Buffer.from(bytes), "PX", 60_000)
            const reply = await client.eval(
              Scripts.addTags.lua,
              1,
              "k",
              ...tags.map((tag) => Buffer.from(encodeTag(tag)))
            )
            assert.isAbove(await client.pttl("k"), 50_000)
            return [reply, await client.getBuffer("k")] as const
          })
        const dice = diceOf(5)
        const compressor = nodeCompressor({ threshold: 1 })
        const before = [[], ["a"], ["a", "b"], ["é", "%", "\ud800", ""], [long(254)], [long(255)], many(254), many(300)]
        const more = [["t"], ["a"], ["a", "b", "a"], ["%", "\ud800", "%25"], [long(254), long(255)], many(255), many(1)]
        for (const [n, tags] of before.entries()) {
          for (const fingerprint of ["", "abcdefghijkl", "suite", long(255)]) {
            for (const c of [undefined, compressor]) {
              const json = [undefined, 5, "é", { text: long(500) }][n % 4]
              const bytes = encode({ ...header, tags, fingerprint }, json, c)
              const added = dice.pick(more)
              const [reply, after] = yield* inRedis(bytes, added)
              assert.strictEqual(reply, 1)
              assert.isTrue(after?.equals(addTags(bytes, added)))
              assert.deepStrictEqual(decode(after!, c), {
                ...header,
                fingerprint,
                tags: [...new Set([...tags, ...added])],
                json
              })
              // Mutants: what the script takes for an entry it must leave one, and what is none it must leave alone.
              const mutant = Buffer.from(bytes)
              mutant[dice.below(Math.min(mutant.length, 60))] = dice.pick([0, 1, 0x7f, 0xfe, 0xff])
              const cut = mutant.subarray(0, dice.chance(0.5) ? mutant.length : dice.below(mutant.length))
              const [kept, changed] = yield* inRedis(cut, added)
              if (open(cut) === undefined) {
                assert.isUndefined(open(changed!))
                if (kept === 0) assert.isTrue(changed!.equals(cut))
              } else {
                assert.strictEqual(kept, 1)
                assert.isTrue(changed!.equals(addTags(cut, added)))
              }
            }
          }
        }
        const full = encode({ ...header, tags: many(65_530) }, 1, undefined)
        const [reply, after] = yield* inRedis(full, ["a", "b", "c", "d", "e", "f"])
        assert.strictEqual(reply, 2)
        assert.isTrue(after!.equals(full))
        for (const other of [
          Buffer.from([0xec, VERSION]),
          Buffer.from([0xec, 1, ...Buffer.alloc(60)]),
          Buffer.from("{}")
        ]) {
          assert.strictEqual((yield* inRedis(other, ["t"]))[0], 0)
        }
      })
    )
  )
})
