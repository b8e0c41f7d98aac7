import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type EntryHeader, open } from "../../src/CacheEntry.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { openStore, scoped } from "../stores/redis/support.ts"
import { freshNamespace, sharedRedis } from "../support/client.ts"
import { header, write } from "../support/primitives.ts"
import { replaced } from "./replaced.ts"

const server = sharedRedis()

describe("what a write replaces, on Redis", () => {
  replaced(
    "Redis",
    Effect.map(server, ({ url }) => CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" }))
  )

  it.effect(
    "a header is cut behind the tags, and opens as the whole does; what is no entry gives nothing",
    scoped(
      Effect.gen(function*() {
        const { backend, client, namespace } = yield* Effect.flatMap(server, openStore)
        const take = Effect.fnUntraced(function*(give: "header" | "entry") {
          const { unlinked } = yield* backend.takeOver("k", "w:1", 60_000, "write", give)
          yield* backend.release("k", "w:1", "unlink")
          return unlinked as Uint8Array | undefined
        })
        const plant = (value: unknown, more?: Partial<EntryHeader>) =>
          Effect.gen(function*() {
            yield* backend.acquire("k", "load", 60_000)
            assert.isTrue(yield* backend.fill("k", "load", write(backend, value, 60_000, more), "keep"))
          })
        const long = "y".repeat(200_000)
        const cases: ReadonlyArray<readonly [unknown, Partial<EntryHeader>]> = [
          [long, {}],
          [long, { tags: ["a", "b"] }],
          [`${long}${Math.PI}`, { fingerprint: "", tags: Array.from({ length: 2_000 }, (_, i) => `tag ${i}`) }],
          [undefined, { tags: ["t".repeat(60_000)] }],
          [7, { fingerprint: "abcdefghijkl" }]
        ]
        for (const [value, more] of cases) {
          const { fingerprint, tags } = header(more)
          yield* plant(value, more)
          const cut = (yield* take("header"))!
          yield* plant(value, more)
          const whole = (yield* take("entry"))!
          assert.isAtMost(cut.length, whole.length)
          if (value === long) assert.isBelow(cut.length, 100)
          for (const bytes of [cut, whole]) {
            const opened = open(bytes)!
            assert.deepStrictEqual([opened.fingerprint, opened.tags, opened.born], [fingerprint, tags, 1])
          }
        }
        const entry = `${namespace}:e:{k}`
        for (const bytes of ["", "x", "x".repeat(100), "\xec", `\xec${"\x00".repeat(50)}`]) {
          yield* Effect.promise(() => client.set(entry, Buffer.from(bytes, "latin1")))
          assert.isUndefined(yield* take("header"))
          assert.strictEqual(yield* Effect.promise(() => client.exists(entry)), 0)
        }
        // Each cut of an entry, and each with a byte that nobody wrote, opens as the whole does or gives nothing that opens.
        yield* plant(1, { tags: ["a", "b".repeat(300)] })
        const sound = (yield* take("entry"))!
        for (let at = 0; at < 50; at++) {
          for (const bytes of [sound.slice(0, at), sound.with(at, 255)]) {
            yield* Effect.promise(() => client.set(entry, Buffer.from(bytes)))
            const found = yield* take("header")
            const opened = open(bytes)
            if (opened !== undefined) assert.deepStrictEqual(open(found!)?.tags, opened.tags)
          }
        }
        yield* Effect.promise(() => client.hset(entry, "a", "b"))
        assert.isUndefined(yield* take("entry"))
        assert.strictEqual(yield* Effect.promise(() => client.exists(entry)), 0)
      })
    )
  )
})
