/**
 * What people are warned of, the same on every layer: one line a kind and region a minute, which says what is wrong, and nothing
 * of a value or a key.
 */
import { assert, it } from "@effect/vitest"
import { type Duration, Effect, Redacted, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import {
  cacheAside,
  CacheClient,
  CacheError,
  CacheRegion,
  type CacheServices,
  getCacheStats,
  memoize,
  stampedeProtect,
  writeAround,
  writeThrough
} from "../../src/index.ts"
import { warnings } from "./withoutSchema.ts"

interface Id {
  readonly id: string
}

const secret = "hush"
const forget = (id: string) => ({ id: Symbol(id) }) as unknown as Id

export const reports = (on: <A, E>(test: Effect.Effect<A, E, CacheServices>) => Effect.Effect<A, unknown>): void => {
  const effect = (
    name: string,
    test: (
      said: () => ReadonlyArray<string>
      /** Makes a name for a region that no other test has. */
    ) => Effect.Effect<void, unknown, CacheServices>
  ) =>
    it.effect(name, () => {
      const { layer, texts } = warnings()
      const said = () => texts.splice(0)
      return on(test(said).pipe(Effect.provide(layer)) as Effect.Effect<void, unknown, CacheServices>)
    })

  const User = Schema.Struct({ name: Schema.String })
  const failing = (key: `${string}:{id}`) =>
    cacheAside({ key, schema: User })((_: Id) => Effect.succeed({ name: 5 } as never))

  effect("a thousand calls make one line, and the next minute one with their count", (said) =>
    Effect.gen(function*() {
      const find = failing("thousand:{id}")
      const all = Effect.forEach(
        Array.from({ length: 1_000 }, (_, i) => i),
        (i) => find({ id: `${secret}${i}` }),
        { concurrency: 50, discard: true }
      )
      yield* all
      const first = said()
      assert.strictEqual(first.length, 1, first.join("\n"))
      assert.include(first[0], String.raw`a value of \"thousand:{id}\" is not cached`)
      assert.include(first[0], String.raw`Expected string at [\"name\"]`)
      assert.notInclude(first[0], "more since")
      assert.notInclude(first[0], secret)
      yield* TestClock.adjust("59 seconds")
      yield* find({ id: "1" })
      assert.deepStrictEqual(said(), [])
      yield* TestClock.adjust("1 second")
      yield* find({ id: "1" })
      const next = said()
      assert.strictEqual(next.length, 1)
      assert.include(next[0], "(and 1,000 more since this was last said)")
      // A quiet minute has nothing to count.
      yield* TestClock.adjust("1 minute")
      yield* find({ id: "1" })
      assert.notInclude(said()[0], "more since")
      const { regions } = yield* getCacheStats
      assert.strictEqual(regions.find(({ region }) => region === "thousand:{id}")?.errors.EncodeFailed, 1_003)
    })
  )

  effect("a wall clock that is set back silences nobody", (said) =>
    Effect.gen(function*() {
      const find = failing("back:{id}")
      yield* TestClock.adjust("1 hour")
      yield* find({ id: "1" })
      yield* TestClock.setTime(0)
      said()
      yield* TestClock.adjust("1 minute")
      yield* find({ id: "1" })
      assert.strictEqual(said().length, 1)
    })
  )

  effect("two regions have a line each, and two kinds of one region", (said) =>
    Effect.gen(function*() {
      const [one, two] = [failing("one:{id}"), failing("two:{id}")]
      for (let i = 0; i < 3; i++) yield* Effect.all([one({ id: "1" }), two({ id: "1" }), one(forget("x"))])
      const lines = said()
      assert.strictEqual(lines.length, 3, lines.join("\n"))
      assert.strictEqual(lines.filter((line) => line.includes("one:{id}")).length, 2)
    })
  )

  effect("nothing of a value is said, whatever its schema says of it", (said) =>
    Effect.gen(function*() {
      const quoting = Schema.String.check(Schema.makeFilter((text) => `not ${text}`))
      const schemas: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, unknown]> = [
        ["Redacted", Schema.Struct({ key: Schema.Redacted(Schema.Number) }), { key: Redacted.make(secret) }],
        ["forbidden", Schema.Redacted(Schema.String, { disallowJsonEncode: true }), Redacted.make(secret)],
        ["no Redacted", Schema.Struct({ key: Schema.Redacted(Schema.String) }), { key: secret }],
        ["a check that quotes", Schema.Struct({ text: quoting }), { text: secret }],
        ["a record", Schema.Record(Schema.String, Schema.Number), { [secret]: secret }],
        [
          "a report of the input",
          Schema.Struct({ a: Schema.Number }).annotate({ parseOptions: { reportInput: true } }),
          { a: secret }
        ],
        [
          "a function that throws",
          Schema.Struct({
            get: Schema.String.check(
              Schema.makeFilter((text) => {
                throw new TypeError(text)
              })
            )
          }),
          { get: secret }
        ]
      ] as never
      for (const [name, schema, value] of schemas) {
        yield* cacheAside({ key: `value:${name}`, schema })(Effect.succeed(value))
        const lines = said()
        assert.strictEqual(lines.length, 1, name)
        assert.include(lines[0], `value:${name}`)
        assert.notInclude(lines[0], secret)
      }
    })
  )

  effect("options that a function makes of a value are named, and no text of theirs is shown", (said) =>
    Effect.gen(function*() {
      const schema = Schema.String
      const thrown = (text: string): never => {
        throw new RangeError(text)
      }
      const calls = [
        [cacheAside({ key: "ttl:0", schema, ttl: () => 0 }), "ttl is 0, expected a positive duration"],
        [cacheAside({ key: "ttl:text", schema, ttl: (text) => text as never }), "ttl is a text, expected a duration"],
        [cacheAside({ key: "tags:text", schema, tags: (text) => text as never }), "tags is a text, expected an array"],
        [cacheAside({ key: "tags:list", schema, tags: (text) => [text, 1] as never }), "tags is an array of something"],
        [cacheAside({ key: "ttl:threw", schema, ttl: thrown }), "its function ttl threw RangeError"],
        [cacheAside({ key: "tags:threw", schema, tags: thrown }), "its function tags threw RangeError"]
      ] as const
      for (const [make, text] of calls) {
        assert.strictEqual(yield* make(Effect.succeed(secret)), secret)
        const lines = said()
        assert.strictEqual(lines.length, 1, text)
        assert.include(lines[0], text)
        assert.notInclude(lines[0], secret)
      }
    })
  )

  effect("arguments that make no key are told in every pattern, by their place", (said) =>
    Effect.gen(function*() {
      const load = ({ id }: Id) => Effect.sync(() => typeof id)
      const options = { schema: Schema.String } as const
      const calls = [
        [cacheAside({ ...options, key: "bad-aside:{id}" })(load), "{id} is a symbol, expected a string"],
        [stampedeProtect({ ...options, key: "bad-stampede:{id}" })(load), "{id} is a symbol"],
        [writeThrough({ ...options, key: "bad-write:{id}" })(load), "{id} is a symbol"],
        [memoize({ ...options, key: "bad-memo:{id}" })(load), "{id} is a symbol"],
        [memoize({ ...options, name: "bad-named" })(load), "argument 1: a symbol cannot stand in a key"]
      ] as const
      for (const [call, text] of calls) {
        for (let i = 0; i < 3; i++) assert.strictEqual(yield* call(forget(secret)), "symbol")
        const lines = said()
        assert.strictEqual(lines.length, 1, text)
        assert.include(lines[0], text)
        assert.include(lines[0], "arguments make no key")
        assert.notInclude(lines[0], secret)
      }
      // The way to an argument may go through somebody's data.
      const byName = memoize({ ...options, name: "bad-path" })((_: object) => Effect.succeed(""))
      yield* byName({ [secret]: () => 1 })
      assert.notInclude(said().join(), secret)
    })
  )

  effect("lists that a write made wrong are told, and the others carried out", (said) =>
    Effect.gen(function*() {
      let loads = 0
      const read = cacheAside({ key: "listed", schema: Schema.Number })(Effect.sync(() => ++loads))
      const options = { key: "lists:{id}", schema: Schema.String } as const
      const load = ({ id }: Id) => Effect.succeed(id)
      yield* read
      const write = writeThrough(options, {
        invalidateKeys: () => ["listed"],
        invalidatePatterns: (() => undefined) as never,
        invalidateTags: (({ value }: { readonly value: string }) => value) as never
      })(load)
      assert.strictEqual(yield* write({ id: secret }), secret)
      assert.strictEqual(yield* read, 2)
      const lines = said()
      assert.strictEqual(lines.length, 2, lines.join("\n"))
      assert.include(lines[0], "did not invalidate all that it lists, because invalidatePatterns is undefined")
      assert.include(lines[1], "invalidateTags is a text, expected an array of strings")
      assert.notInclude(lines.join(), secret)
      const strict = writeThrough(
        { ...options, onCacheError: "fail" },
        { invalidateTags: (({ value }: { readonly value: string }) => value) as never }
      )(load)
      const error = yield* Effect.flip(strict({ id: "a" }))
      assert.instanceOf(error, CacheError)
      assert.strictEqual(error.message, 'InvalidOption: invalidateTags is "a", expected an array of strings')
    })
  )

  it.effect("at level Debug each call is told, and whole", () => {
    const { layer, texts } = warnings("Debug")
    return on(
      Effect.gen(function*() {
        const find = failing("debug:{id}")
        for (let i = 0; i < 3; i++) yield* find({ id: String(i) })
        assert.deepStrictEqual(
          texts.filter((text) => text.includes("debug:{id}")).map((text) => /does not encode/.test(text)),
          [true, true, true]
        )
      }).pipe(Effect.provide(layer), Effect.provideService(References.MinimumLogLevel, "Debug"))
    )
  })

  effect("a template that has two schemas is told of once, whatever comes after", (said) =>
    Effect.gen(function*() {
      const by = { id: "1" }
      const make = <A, I>(schema: Schema.Codec<A, I>, value: A, prefix = "") =>
        cacheAside({ key: "two:{id}", prefix, schema })((_: Id) => Effect.succeed(value))
      const texts = make(Schema.String, "a")
      const numbers = make(Schema.Number, 1)
      const other = make(Schema.Number, 1, "v2:")
      // The same schema, made twice, is one; another prefix is another key.
      for (const call of [texts, texts, other, make(Schema.String, "b")]) yield* call(by)
      assert.deepStrictEqual(said(), [])
      assert.strictEqual(yield* numbers({ id: secret }), 1)
      const lines = said()
      assert.strictEqual(lines.length, 1, lines.join("\n"))
      assert.include(lines[0], String.raw`\"two:{id}\" is the key of regions with two schemas`)
      assert.notInclude(lines[0], secret)
      const third = make(Schema.Boolean, true)
      yield* TestClock.adjust("5 minutes")
      for (const call of [texts, numbers, third, texts]) yield* call(by)
      assert.deepStrictEqual(said(), [])
    })
  )

  effect("so is one that is written, refreshed, or set and read by hand with another", (said) =>
    Effect.gen(function*() {
      const by = { id: "1" }
      const client = yield* CacheClient
      const ways: ReadonlyArray<
        (region: ReturnType<typeof regionOf>) => Effect.Effect<unknown, unknown, CacheServices>
      > = [
        (region) => writeThrough(region)((_: Id) => Effect.succeed(1))(by),
        (region) => writeAround(region)((_: Id) => Effect.succeed(1))(by),
        (region) => cacheAside(region)((_: Id) => Effect.succeed(1)).refresh(by),
        (region) => client.set(region, by, 1),
        (region) => client.get(region, by),
        (region) => client.getMany(region, [by])
      ]
      const regionOf = (key: `${string}:{id}`) => CacheRegion.make({ key, schema: Schema.Number })
      for (const [i, way] of ways.entries()) {
        const key = `two${i}:{id}` as const
        yield* client.set(CacheRegion.make({ key, schema: Schema.String }), by, "a")
        assert.deepStrictEqual(said(), [])
        yield* way(regionOf(key))
        yield* way(regionOf(key))
        const lines = said()
        assert.strictEqual(lines.length, 1, lines.join("\n"))
        assert.include(lines[0], String.raw`\"two${i}:{id}\" is the key of regions with two schemas`)
      }
    })
  )

  effect("a ttl that is a number of less than a second is told of once a region", (said) =>
    Effect.gen(function*() {
      const client = yield* CacheClient
      const get = (key: `${string}:{id}`, ttl: Duration.Input) =>
        cacheAside({ key, schema: Schema.String, ttl })(({ id }: Id) => Effect.succeed(id))
      for (const [key, ttl] of [
        ["long:{id}", 1_000],
        ["said:{id}", "300 millis"],
        ["whole:{id}", Infinity]
      ] as const) {
        yield* get(key, ttl)({ id: "1" })
      }
      yield* client.set("long", "a", { schema: Schema.String, ttl: "10 millis" })
      assert.deepStrictEqual(said(), [])
      for (const id of ["1", "2", "3"]) yield* get("short:{id}", 300)({ id })
      yield* memoize({ name: "short", ttl: 60 })((id: string) => Effect.succeed(id))("1")
      yield* client.set("short", "a", { schema: Schema.String, ttl: 5 })
      yield* client.set("shorter", "a", { schema: Schema.String, ttl: 5 })
      const lines = said()
      assert.strictEqual(lines.length, 3, lines.join("\n"))
      assert.include(
        lines[0],
        String.raw`the ttl of \"short:{id}\", 300, is in milliseconds: write \"300 seconds\", or \"300 millis\" if those are meant`
      )
      assert.include(lines[1], String.raw`the ttl of \"memo:short\", 60,`)
      assert.include(lines[2], "a ttl given to CacheClient.set, 5, is in milliseconds")
    })
  )

  effect("and not one whose other region has no schema, nor keys of no region", (said) =>
    Effect.gen(function*() {
      const client = yield* CacheClient
      yield* memoize({ key: "free:{id}", schema: Schema.String })((_: Id) => Effect.succeed("a"))({ id: "1" })
      yield* memoize({ key: "free:{id}" })((_: Id) => Effect.succeed(1))({ id: "1" })
      yield* client.set("free", 1, { schema: Schema.Number })
      yield* client.set("free", "a", { schema: Schema.String })
      yield* client.get("free", Schema.Number)
      assert.deepStrictEqual(said(), [])
    })
  )
}
