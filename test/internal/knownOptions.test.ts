/** Options that nobody reads are refused where they are given: of who has no types, and of who hands them on in a variable. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheConfig,
  CacheError,
  CacheFallback,
  CacheMemory,
  CacheRegion,
  LockManager,
  memoize,
  stampedeProtect,
  writeAround,
  writeThrough
} from "effect-cache"
import { cachedResponse } from "effect-cache/http"
import { CacheRedis } from "effect-cache/redis"

const options = { key: "user:{id}", schema: Schema.String, ttl: "1 minute" } as const
const Users = CacheRegion.make(options)
const load = ({ id }: { readonly id: string }) => Effect.succeed(id)
const any = (value: unknown): any => value

const reasonOf = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    assert.instanceOf(error, CacheError)
    return `${error.reason._tag}: ${error.reason.message}`
  }
  return "nothing was refused"
}

const region = "key, schema, prefix, ttl, tags, jitter, onCacheError, compressAbove"
const lists = "invalidateKeys, invalidatePatterns, invalidateTags, invalidateOwnTags, intent"

describe("an option that nobody reads", () => {
  it("is named with those that there are, and with the one that was meant", () => {
    const wrong: ReadonlyArray<readonly [make: () => unknown, message: string]> = [
      [
        () => CacheRegion.make(any({ ...options, tll: "1 minute" })),
        `tll is no option, expected one of ${region}: did you mean \`ttl\`?`
      ],
      [() => CacheRegion.make(any({ ...options, lockTtl: 1 })), `lockTtl is no option, expected one of ${region}`],
      [
        () => cacheAside(any({ key: "a", schma: Schema.String }))(any(load)),
        `schma is no option, expected one of ${region}, ignore: did you mean \`schema\`?`
      ],
      [
        () => cacheAside(Users, any({ ignored: [] })),
        "ignored is no option, expected one of ignore: did you mean `ignore`?"
      ],
      [
        () => cacheAside(any(load), any({ ...Users, lockTtl: "1 minute" })),
        `lockTtl is no option, expected one of ${region}, ignore`
      ],
      [
        () => stampedeProtect(Users, any({ lockTTl: 1, tags: undefined })),
        "lockTTl is no option, expected one of lockTtl, waitTimeout, onTimeout, ignore: did you mean `lockTtl`?"
      ],
      [
        () => memoize(any({ nmae: "area" })),
        `nmae is no option, expected one of name, arity, ${region}, ignore: did you mean \`name\`?`
      ],
      [
        () => writeThrough(Users, any({ invalidateTag: ["a"] })),
        `invalidateTag is no option, expected one of ${lists}, keyOf: did you mean \`invalidateTags\`?`
      ],
      [
        () => writeThrough(any({ ...options, keys: [] })),
        `keys is no option, expected one of ${region}, ${lists}, keyOf: did you mean \`key\`?`
      ],
      [
        () => writeAround(Users, any({ intnet: false })),
        `intnet is no option, expected one of ${lists}: did you mean \`intent\`?`
      ],
      [
        () => writeAround(any({ ...options, keys: [] })),
        `keys is no option, expected one of ${region}, ${lists}: did you mean \`key\`?`
      ],
      [() => writeAround(any({ keys: [], ttl: 1 })), `ttl is no option, expected one of keys, onCacheError, ${lists}`],
      [
        () => cachedResponse("users", any({ ttl: 1, stampede: { lokTtl: 1 } }))(any(Effect.void)),
        "stampede.lokTtl of users is no option, expected one of lockTtl, waitTimeout: did you mean `lockTtl`?"
      ]
    ]
    assert.deepStrictEqual(
      wrong.map(([make]) => reasonOf(make)),
      wrong.map(([, message]) => `InvalidOption: ${message}`)
    )
  })

  it.effect("fails a layer", () =>
    Effect.gen(function*() {
      const memory = CacheMemory.layer()
      const layers: ReadonlyArray<readonly [Layer.Layer<never, CacheError>, string, string]> = [
        [CacheMemory.layer(any({ maxEntires: 1 })), "maxEntires", "maxEntries"],
        [CacheRedis.layer(any({ pasword: "secret" })), "pasword", "password"],
        [CacheRedis.layer({ durability: any({ replicas: 1, timout: 1 }) }), "durability.timout", "timeout"],
        [CacheFallback.layer(any({ primary: memory, fallback: memory, tiemout: 1 })), "tiemout", "timeout"],
        [CacheConfig.layer(any({ defaultTTL: 1 })), "defaultTTL", "defaultTtl"]
      ]
      for (const [layer, name, meant] of layers) {
        const error = yield* Effect.flip(Effect.provide(Effect.void, layer))
        assert.match(
          error.message,
          new RegExp(`^InvalidOption: ${name} is no option, .*: did you mean \`${meant}\`\\?$`)
        )
        assert.notInclude(error.message, "secret")
      }
      const url = yield* Effect.flip(Effect.provide(Effect.void, CacheRedis.layer(any("redis://user:secret@host"))))
      assert.strictEqual(
        url.message,
        "InvalidOption: options is <redacted, 24 characters>, expected an object of options"
      )
    })
  )

  it.effect("fails a call by hand", () =>
    Effect.gen(function*() {
      const cache = yield* CacheClient
      const locks = yield* LockManager
      const calls: ReadonlyArray<Effect.Effect<unknown, CacheError>> = [
        cache.set("a", "b", any({ schema: Schema.String, tll: 1 })),
        cache.set("a", "b", any(undefined)),
        cache.set("a", "b", any({ ttl: 1 })),
        cache.get("a", any(undefined)),
        cache.get({ ...Users, tll: 1 }, any({ id: "1" })),
        locks.withLock("a", any({ tll: 1 }))(Effect.void)
      ]
      assert.deepStrictEqual(
        yield* Effect.all(calls.map((call) => Effect.map(Effect.flip(call), String))),
        [
          "InvalidOption: tll is no option, expected one of schema, ttl, tags: did you mean `ttl`?",
          "InvalidOption: options is undefined, expected an object of options",
          "InvalidOption: schema is undefined, expected a schema, such as Schema.String",
          "InvalidOption: schema is undefined, expected a schema, such as Schema.String",
          `InvalidOption: tll is no option, expected one of ${region}: did you mean \`ttl\`?`,
          "InvalidOption: tll is no option, expected one of ttl, wait: did you mean `ttl`?"
        ].map((text) => `CacheError: ${text}`)
      )
    }).pipe(Effect.provide(CacheMemory.layer()))
  )

  it("is one only if it is given: what is undefined is not, nor a symbol, nor what a region has by being spread", () => {
    const none = { tll: undefined, [Symbol("mine")]: 1 }
    const made: ReadonlyArray<() => unknown> = [
      () => CacheRegion.make(any({ ...Users, ...none, ttl: undefined })),
      () => cacheAside({ ...Users, ...none, ttl: "2 minutes" }),
      () => cacheAside(Users, any({ ...none, ttl: undefined })),
      () => memoize({ ...Users, ...none }),
      () => stampedeProtect({ ...Users, ...none, lockTtl: "1 minute" }),
      () => writeThrough({ ...Users, ...none, invalidateTags: ["a"] }),
      () => writeAround({ ...Users, ...none }, { invalidateTags: ["a"] })
    ]
    assert.deepStrictEqual(
      made.map(reasonOf),
      made.map(() => "nothing was refused")
    )
  })
})

describe("an option of a region", () => {
  it("beside a region is refused, which is made of its own", () => {
    const more = { ttl: "1 hour" } as const
    const made: ReadonlyArray<() => unknown> = [
      () => cacheAside(Users, any(more)),
      () => stampedeProtect(Users, any(more)),
      () => writeThrough(Users, any(more)),
      () => writeAround(Users, any(more)),
      () => cacheAside(options, any(more))
    ]
    assert.deepStrictEqual(
      made.map(reasonOf),
      made.map(
        () =>
          "InvalidOption: ttl is given beside a region, expected it in the region: { ...region, ttl }, or CacheRegion.make"
      )
    )
    assert.strictEqual(
      reasonOf(() => (memoize as (...args: ReadonlyArray<unknown>) => unknown)(Users, more)),
      "InvalidOption: memoize is given two options, expected all in the first: { ...options, ttl }"
    )
  })
})

describe("what is missing, or something else", () => {
  it("is named", () => {
    const key = 'expected a template, such as "user:{userId}", or CacheKey.make(template, function)'
    const schema = "expected a schema, such as Schema.String"
    const wrong: ReadonlyArray<readonly [make: () => unknown, message: string]> = [
      [() => CacheRegion.make(any(undefined)), "options is undefined, expected an object of options"],
      [() => CacheRegion.make(any([])), "options is [], expected an object of options"],
      [() => CacheRegion.make(any({ schema: Schema.String })), `key is undefined, ${key}`],
      [() => CacheRegion.make(any({ key: () => "a", schema: Schema.String })), `key is a function, ${key}`],
      [() => cacheAside(any({ key: "a" })), `schema is undefined, ${schema}`],
      [() => writeThrough(any({ key: "a", schema: { parse: () => 1 } })), `schema is an object, ${schema}`],
      [() => writeAround(any({ key: "a" })), `schema is undefined, ${schema}`],
      [() => memoize(any({ key: "a", schema: 1 })), `schema is 1, ${schema}`],
      [() => memoize(any({ ttl: 1 })), "options is without a name, expected a name, or a key with its placeholders"],
      [() => memoize(any({ name: "a", key: "a" })), 'key is "a", expected none beside a name: one of the two'],
      [() => memoize(any({ name: 1 })), "name is 1, expected a text"],
      [() => cacheAside(Users, any(load)), "options is a function, expected an object of options"],
      [() => cacheAside(Users, any(Effect.void)), "options is an effect, expected an object of options"],
      ...[
        cacheAside(Users),
        stampedeProtect(Users),
        writeThrough(Users),
        writeAround(Users),
        memoize({ name: "a" })
      ].map(
        (pattern) =>
          [
            () => (pattern as (load: unknown) => unknown)(any(Promise.resolve())),
            "loader is an object, expected a function that returns an effect, or an effect"
          ] as const
      )
    ]
    assert.deepStrictEqual(
      wrong.map(([make]) => reasonOf(make)),
      wrong.map(([, message]) => `InvalidOption: ${message}`)
    )
  })
})

describe("a template where a text is meant", () => {
  it("is refused among the tags of a region and in the fixed lists of a write", () => {
    const tags =
      'InvalidOption: tags is "user:{id}", expected a text, or a function such as (value, { id }) => [`user:${id}`]: a tag is no template'
    assert.strictEqual(
      reasonOf(() => CacheRegion.make({ ...options, tags: ["all", "user:{id}"] })),
      tags
    )
    const write = (lists: object) => reasonOf(() => any(writeThrough)(Users, lists))
    const made = "a text, or a function such as ({ params })"
    assert.include(write({ invalidateTags: ["tenant:{tenantId}"] }), made)
    assert.include(write({ invalidateKeys: ["posts:{id}"] }), made)
    assert.include(write({ invalidatePatterns: ["posts:{id}:*"] }), made)
    assert.include(
      reasonOf(() => any(writeAround)({ keys: ["a"], invalidateTags: ["t:{id}"] })),
      made
    )
    // Braces that name no part of this key are text.
    assert.strictEqual(write({ invalidateKeys: ["{slot}:1"], invalidatePatterns: ["{slot}:*"] }), "nothing was refused")
  })

  it("has no $ before its braces", () => {
    assert.include(
      reasonOf(() => CacheRegion.make({ ...options, key: "user:${id}" } as never)),
      "a placeholder is written {id}, without a $ before it"
    )
  })
})
