/** Regions and patterns with a key that a function makes: on memory, on bytes, on Redis. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheKey,
  CacheRegion,
  getCacheStats,
  invalidateTags,
  type KeyPart,
  memoize,
  stampedeProtect,
  writeAround,
  writeThrough
} from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { CacheTest } from "effect-cache/testing"
import { warnings } from "../engine/withoutSchema.ts"
import { freshNamespace, sharedRedis } from "../support/client.ts"
import { inProcess } from "../support/layers.ts"

interface Query {
  readonly tenant: string
  readonly filter: { readonly kind: string }
  readonly cursor?: string | undefined
}
const query = (tenant: string, kind: string, cursor?: string): Query => ({ tenant, filter: { kind }, cursor })
const key = CacheKey.make("list:{tenant}:{kind}:{cursor?}", ({ cursor, filter, tenant }: Query) => ({
  tenant,
  kind: filter.kind,
  cursor
}))
const Lists = CacheRegion.make({
  key,
  prefix: "v2:",
  schema: Schema.String,
  ttl: (_, { kind }) => (kind === "short" ? "1 minute" : "5 minutes"),
  tags: (_, { kind, tenant }) => [`tenant:${tenant}`, `kind:${kind}`]
})

/** What is loaded, and how often. */
const loader = () => {
  let loads = 0
  return {
    loads: () => loads,
    load: ({ cursor, filter, tenant }: Query) =>
      Effect.sync(() => `${tenant} ${filter.kind} ${cursor ?? "-"}, load ${++loads}`)
  }
}

const server = sharedRedis()
const redis = Layer.unwrap(
  Effect.map(server, ({ url }) => CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "5 seconds" }))
)

for (const [name, layer] of [...inProcess, ["Redis", redis] as const]) {
  describe(`a key that a function makes, on ${name}`, () => {
    const test = <E>(what: string, body: Effect.Effect<void, E, CacheClient>) =>
      it.live(what, () => Effect.provide(body, layer))

    test(
      "is that of its parts: shared by the equal, and by no others",
      Effect.gen(function*() {
        const { load, loads } = loader()
        const get = cacheAside(Lists)(load)
        assert.strictEqual(yield* get(query("a", "x")), "a x -, load 1")
        assert.strictEqual(yield* get({ filter: { kind: "x" }, tenant: "a" }), "a x -, load 1")
        const others = [query("a", "y"), query("b", "x"), query("a", "x", ""), query("a:x", "-"), query("a", "x:-")]
        for (const other of others) yield* get(other)
        assert.strictEqual(loads(), 1 + others.length)
        assert.strictEqual(get.key(query("a", "x")), "v2:list:a:x:%-")
        assert.strictEqual(Lists.keyFor(query("a", "x")), "v2:list:a:x:%-")
        assert.deepStrictEqual(yield* get.peek(query("a", "x")), Option.some("a x -, load 1"))
        yield* get.invalidate(query("a", "x"))
        assert.deepStrictEqual(yield* get.peek(query("a", "x")), Option.none())
        assert.strictEqual(yield* get.refresh(query("a", "x")), "a x -, load 7")
        yield* Lists.invalidate(query("a", "x"))
        assert.deepStrictEqual(yield* get.peek(query("a", "x")), Option.none())
        assert.deepStrictEqual(yield* get.peek(query("b", "x")), Option.some("b x -, load 3"))
      })
    )

    test(
      "is cleared with all that its template makes, and nothing else; by a pattern with some parts",
      Effect.gen(function*() {
        const { load } = loader()
        const get = cacheAside(Lists)(load)
        const all = ["a", "a:b", "*", "%"].flatMap((tenant) =>
          ["x", "x:y", ""].flatMap((kind) => [query(tenant, kind), query(tenant, kind, "c")])
        )
        const client = yield* CacheClient
        const beside = ["list:a:x:%-", "v2:lists", "v2:list", "xv2:list:a:x:%-", "v3:list:a:x:c"]
        const fill = Effect.gen(function*() {
          for (const one of all) yield* get(one)
          for (const one of beside) yield* client.set(one, "beside", { schema: Schema.String })
        })
        const left = Effect.filter(all, (one) => Effect.map(get.peek(one), Option.isSome))
        yield* fill
        assert.strictEqual((yield* left).length, all.length)
        assert.strictEqual(Lists.pattern({ tenant: "*" }), "v2:list:%2A:*:*")
        yield* client.invalidatePattern(Lists.pattern({ tenant: "*" }))
        assert.deepStrictEqual(
          yield* left,
          all.filter(({ tenant }) => tenant !== "*")
        )
        for (const clear of [get.clear, Lists.clear]) {
          yield* fill
          yield* clear
          assert.deepStrictEqual(yield* left, [])
          assert.ok((yield* client.getMany(beside, Schema.String)).every(Option.isSome))
        }
      })
    )

    test(
      "shows its parts to ttl and tags, and to what is set by hand",
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const Seen = CacheRegion.make({
          ...Lists,
          ttl: (_, params) => {
            seen.push(params)
            return "1 minute"
          }
        })
        const { load } = loader()
        // A loader that changes what it was given changes no tag.
        const get = cacheAside(Seen)((q) =>
          Effect.tap(load(q), () => Effect.sync(() => Object.assign(q.filter, { kind: "changed" })))
        )
        yield* get(query("a", "x"))
        assert.deepStrictEqual(seen, [{ tenant: "a", kind: "x", cursor: undefined }])
        yield* invalidateTags(["kind:changed"])
        assert.ok(Option.isSome(yield* get.peek(query("a", "x"))))
        yield* invalidateTags(["kind:x"])
        assert.ok(Option.isNone(yield* get.peek(query("a", "x"))))

        const client = yield* CacheClient
        yield* client.set(Lists, { tenant: "a", kind: "x" }, "by hand")
        assert.deepStrictEqual(
          yield* client.get(Lists, { tenant: "a", kind: "x", cursor: undefined }),
          Option.some("by hand")
        )
        assert.deepStrictEqual(
          yield* client.getMany(Lists, [
            { tenant: "a", kind: "y" },
            { tenant: "a", kind: "x" }
          ]),
          [Option.none(), Option.some("by hand")]
        )
        assert.strictEqual(yield* get(query("a", "x")), "by hand")
        yield* invalidateTags(["tenant:a"])
        assert.deepStrictEqual(yield* client.get(Lists, { tenant: "a", kind: "x" }), Option.none())
      })
    )

    test(
      "stands in writes: params of their lists and keyOf are its parts",
      Effect.gen(function*() {
        const { load } = loader()
        const get = cacheAside(Lists)(load)
        const params: Array<unknown> = []
        const put = writeThrough(Lists, {
          invalidateTags: (written) => {
            params.push(written.params)
            return ["nothing"]
          }
        })(({ tenant }: Query, text: string) => Effect.succeed(`${tenant} ${text}`))
        yield* get(query("a", "x"))
        assert.strictEqual(yield* put(query("a", "x"), "put"), "a put")
        assert.strictEqual(yield* get(query("a", "x")), "a put")

        const drop = writeAround(Lists, {
          invalidateKeys: (written) => {
            params.push(written.params)
            return []
          }
        })((_: Query) => Effect.void)
        yield* drop(query("a", "x"))
        assert.ok(Option.isNone(yield* get.peek(query("a", "x"))))

        const create = writeThrough(Lists, {
          keyOf: (text) => ({ tenant: text, kind: "x", cursor: undefined }),
          invalidateTags: (written) => {
            params.push(written.params)
            return []
          }
        })((text: string) => Effect.succeed(text))
        yield* get(query("a", "x"))
        yield* create("a")
        assert.ok(Option.isNone(yield* get.peek(query("a", "x"))))
        assert.deepStrictEqual(params, Array(3).fill({ tenant: "a", kind: "x", cursor: undefined }))
      })
    )

    test(
      "stands in every pattern that reads, with several arguments",
      Effect.gen(function*() {
        let loads = 0
        const page = CacheKey.make("page:{tenant}:{no}", (tenant: string, { no }: { readonly no: number }) => ({
          tenant,
          no
        }))
        const load = (tenant: string, { no }: { readonly no: number }, _signal?: string) =>
          Effect.sync(() => `${tenant} ${no}, load ${++loads}`)
        const found = [
          stampedeProtect({ key: page, schema: Schema.String, ttl: "1 minute" })(load),
          cacheAside(load, { key: page, schema: Schema.String, ttl: "1 minute", prefix: "b:" }),
          memoize({ key: page, ttl: "1 minute", prefix: "c:" })(load),
          memoize(load, { key: page, ttl: "1 minute", schema: Schema.String, prefix: "d:" })
        ]
        for (const get of found) {
          const first = yield* get("a", { no: 1 })
          assert.strictEqual(yield* get("a", { no: 1 }, "ignored"), first)
          assert.notStrictEqual(yield* get("a", { no: 2 }), first)
          yield* get.clear
          assert.notStrictEqual(yield* get("a", { no: 1 }), first)
        }
        assert.strictEqual(loads, 3 * found.length)
      })
    )

    test(
      "key, tags and lists are made of one answer of the function, also where the next one is another",
      Effect.gen(function*() {
        let hour = 1
        let isLate = false
        const key = CacheKey.make("hourly:{id}:{hour}", ({ id }: { readonly id: string }) => {
          const parts = { id, hour }
          if (isLate) hour++
          return parts
        })
        let value = "old"
        const Hourly = CacheRegion.make({
          ...{ key, schema: Schema.String, ttl: "1 hour" },
          tags: (_, { hour, id }) => [`hour:${id}:${hour.toString()}`]
        })
        const get = cacheAside(Hourly)((_: { readonly id: string }) => Effect.sync(() => value))
        isLate = true
        yield* get({ id: "a" })
        isLate = false
        value = "new"
        for (const now of [1, 2, 3]) {
          yield* invalidateTags([`hour:a:${now}`])
          hour = now
          assert.strictEqual(yield* get({ id: "a" }), "new")
        }
      })
    )

    it.live("parts that throw when they are read go uncached, too; a list that needs them is told of", () => {
      const heard = warnings()
      return Effect.gen(function*() {
        const thrown = {
          get id(): string {
            throw Object.create(null)
          }
        }
        const made = CacheKey.make("t:{id}", (_: { readonly id: string }) => thrown)
        const options = { key: made, schema: Schema.String, ttl: "1 minute" } as const
        const load = (_: { readonly id: string }) => Effect.succeed("v")
        assert.strictEqual(yield* cacheAside(options)(load)({ id: "a" }), "v")
        assert.strictEqual(yield* writeThrough(options)(load)({ id: "a" }), "v")
        assert.strictEqual(yield* writeAround(options)(load)({ id: "a" }), "v")
        const none = CacheKey.make("n:{id}", (_: { readonly id: string }): { readonly id: string } => {
          throw Object.create(null)
        })
        const lists = {
          invalidateKeys: ({ params }: { readonly params: { readonly id: KeyPart } }) => [`other:${params.id}`]
        }
        assert.strictEqual(yield* writeThrough({ ...options, key: none }, lists)(load)({ id: "a" }), "v")
        assert.isTrue(
          heard.texts.some((text) =>
            text.includes("did not invalidate all that it lists, because invalidate* is a function of params")
          )
        )
      }).pipe(Effect.provide(Layer.merge(layer, heard.layer)))
    })

    it.live("a call without parts goes uncached, and is told of; what is asked for by name fails", () => {
      const heard = warnings()
      return Effect.gen(function*() {
        const { load, loads } = loader()
        const get = cacheAside(Lists)((q: Query) => load({ ...q, filter: { kind: "none" } }))
        const broken = { tenant: "a" } as never
        yield* get(broken)
        yield* get(broken)
        assert.strictEqual(loads(), 2)
        assert.strictEqual(heard.texts.length, 1)
        assert.include(
          heard.texts[0],
          "is not cached, because its arguments make no key: the function of the key threw TypeError (level Debug says what)"
        )
        for (const call of [get.invalidate(broken), get.peek(broken), Lists.invalidate(broken)]) {
          const error = yield* Effect.flip(call)
          assert.instanceOf(error, CacheError)
          assert.include(error.message, '"list:{tenant}:{kind}:{cursor?}": the function of the key threw: Cannot read')
        }
        assert.throws(() => get.key(broken), CacheError)
        const strict = cacheAside({ ...Lists, onCacheError: "fail" })((q: Query) => load(q))
        assert.instanceOf(yield* Effect.flip(strict(broken)), CacheError)
        assert.strictEqual(loads(), 2)

        // Writes are carried out. A list that asks for the parts of theirs is left out, another one is not.
        yield* get(query("a", "x"))
        yield* get(query("a", "y"))
        let written = 0
        for (const pattern of [writeThrough, writeAround] as const) {
          const put = (pattern as typeof writeThrough)(Lists, {
            invalidateTags: ({ params }) => [`tenant:${params.tenant}`],
            invalidateKeys: [Lists.keyFor(query("a", "y"))],
            invalidateOwnTags: true
          })((_: Query) => Effect.sync(() => String(++written)))
          yield* put(broken)
        }
        assert.strictEqual(written, 2)
        assert.ok(Option.isSome(yield* get.peek(query("a", "x"))))
        assert.ok(Option.isNone(yield* get.peek(query("a", "y"))))
      }).pipe(Effect.provide(heard.layer), Effect.provide(layer))
    })

    test(
      "names its region in statistics by its template",
      Effect.gen(function*() {
        const { load } = loader()
        const get = cacheAside(Lists)(load)
        yield* get(query("stats", "x"))
        yield* get(query("stats", "x"))
        const { regions } = yield* getCacheStats
        assert.deepStrictEqual(
          regions.map(({ hits, loads, region }) => [region, hits, loads]),
          [["v2:list:{tenant}:{kind}:{cursor?}", 1, 1]]
        )
      })
    )
  })
}

it.effect("a second schema of its template is told of, and a test counts its loads", () => {
  const heard = warnings()
  return Effect.gen(function*() {
    const { load } = loader()
    const get = cacheAside(Lists)(load)
    const test = yield* CacheTest
    yield* get(query("a", "x"))
    yield* cacheAside({ key, prefix: "v2:", schema: Schema.Number })((_: Query) => Effect.succeed(1))(query("a", "x"))
    assert.strictEqual(yield* test.loads(get), 2)
    assert.strictEqual(yield* test.loads("v2:list:{tenant}:{kind}:{cursor?}"), 2)
    assert.strictEqual(heard.texts.length, 1)
    assert.include(heard.texts[0], "is the key of regions with two schemas")
  }).pipe(Effect.provide(heard.layer), Effect.provide(CacheTest.layer))
})

describe("options", () => {
  const refused = (make: () => unknown): string => {
    try {
      make()
    } catch (error) {
      assert.instanceOf(error, CacheError)
      return error.reason.message
    }
    return "nothing was refused"
  }

  it("a bare function is no key", () => {
    const expected = 'expected a template, such as "user:{userId}", or CacheKey.make(template, function)'
    const bare = ((q: Query) => ({ tenant: q.tenant })) as never
    for (const make of [
      () => CacheRegion.make({ key: bare, schema: Schema.String }),
      () => cacheAside({ key: bare, schema: Schema.String }),
      () => memoize({ key: bare }),
      () => writeThrough({ key: bare, schema: Schema.String }),
      () => writeAround({ key: bare, schema: Schema.String })
    ]) {
      assert.strictEqual(refused(make), `key is a function, ${expected}`)
    }
    assert.strictEqual(
      refused(() => CacheRegion.make({ key: {} as never, schema: Schema.String })),
      `key is an object, ${expected}`
    )
  })

  it("what it says is in it, is: there is nothing to ignore", () => {
    const ignore = ["cursor"] as never
    for (const make of [
      () => cacheAside(Lists, { ignore }),
      () => stampedeProtect({ ...Lists, ignore }),
      () => memoize({ key, ignore })
    ]) {
      assert.strictEqual(
        refused(make),
        'ignore is ["cursor"], expected none beside a key of CacheKey.make, which says what is in it'
      )
    }
  })
})
