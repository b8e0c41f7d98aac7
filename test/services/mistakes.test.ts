/**
 * What types keep out, where there are none: refused, never taken for something else, as a string for a list of its characters.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  CacheClient,
  type CacheError,
  invalidateKey,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  tagCacheKey
} from "effect-cache"
import { inProcess } from "../support/layers.ts"

const schema = Schema.String
const client = <A>(use: (client: CacheClient["Service"]) => Effect.Effect<A, CacheError>) => CacheClient.use(use)
const list = "expected an array of strings"

const mistakes: ReadonlyArray<readonly [string, Effect.Effect<unknown, CacheError, CacheClient>, string]> = [
  ["tags that are a text", invalidateTags("users" as never), `tags is "users", ${list}`],
  ["tags that are none", invalidateTags(undefined as never), `tags is undefined, ${list}`],
  ["tags that are numbers", invalidateTags(new Set([1, 2]) as never), `tags is [1, 2], ${list}`],
  ["keys that are a text", invalidateKeys("user:1" as never), `keys is "user:1", ${list}`],
  ["keys that are numbers", invalidateKeys([1] as never), `keys is [1], ${list}`],
  ["tags of an entry that are a text", tagCacheKey("k", "users" as never), `tags is "users", ${list}`],
  ["a batch that is a text", client(({ getMany }) => getMany("user:1" as never, schema)), `keys is "user:1", ${list}`],
  ["tags of the client that are a text", client((c) => c.invalidateTags("users" as never)), `tags is "users", ${list}`],
  ["keys of the client that are a text", client((c) => c.invalidateKeys("u:1" as never)), `keys is "u:1", ${list}`],
  ["tags added by the client that are a text", client((c) => c.tag("k", "users" as never)), `tags is "users", ${list}`],
  ["a key that is a number", invalidateKey(1 as never), `keys is [1], ${list}`],
  ["a key of get that is a number", client(({ get }) => get(1 as never, schema)), '"1": a key is a string'],
  ["a pattern that is a number", invalidatePattern(1 as never), '"1": a pattern is a string'],
  [
    "tags of set that are a text",
    client(({ set }) => set("k", "v", { schema, tags: "users" as never })),
    `tags is "users", ${list}`
  ],
  [
    "tags of set that are numbers",
    client(({ set }) => set("k", "v", { schema, tags: [1] as never })),
    `tags is [1], ${list}`
  ]
]

for (const [name, layer] of inProcess) {
  describe(`a mistake on ${name}`, () => {
    it.effect.each(mistakes)("%s", ([, made, message]) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(made)
        assert.strictEqual(error.reason.message, message)
      }).pipe(Effect.provide(layer))
    )
  })
}
