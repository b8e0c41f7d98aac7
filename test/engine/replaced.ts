/**
 * What a write makes old besides its entry, by what it replaced: its own tags, and lists that look at the value from before.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Schema, SchemaGetter } from "effect"
import {
  cacheAside,
  CacheClient,
  type CacheServices,
  CacheRegion,
  invalidateTags,
  tagCacheKey,
  writeAround,
  writeThrough
} from "../../src/index.ts"

class Doc extends Schema.Class<Doc>("Doc")({ id: Schema.String, tenant: Schema.String }) {}

type Id = { readonly id: string }
type Move = Id & { readonly tenant: string }

const Docs = CacheRegion.make({
  key: "doc:{id}",
  schema: Doc,
  ttl: "1 minute",
  tags: (doc) => ["docs", `tenant:${doc.tenant}`]
})
const Fixed = CacheRegion.make({ key: "fixed:{id}", schema: Doc, ttl: "1 minute", tags: ["fixed"] })

const world = () => {
  const rows = new Map([["1", "a"]])
  const load = ({ id }: Id) => Effect.sync(() => new Doc({ id, tenant: rows.get(id) ?? "none" }))
  const save = ({ id, tenant }: Move) =>
    Effect.as(
      Effect.sync(() => rows.set(id, tenant)),
      new Doc({ id, tenant })
    )
  const loads: Record<string, number> = {}
  const feeds = ["tenant:a", "tenant:b", "docs", "fixed", "extra"] as const
  const feed = (tag: string) =>
    cacheAside({ key: `feed:${tag}`, schema: Schema.Number, ttl: "1 minute", tags: [tag] })(
      Effect.sync(() => (loads[tag] = (loads[tag] ?? 0) + 1))
    )
  const all = feeds.map((tag) => [tag, feed(tag)] as const)
  const readAll = Effect.forEach(all, ([, read]) => read, { discard: true })
  /** The feeds that are not there any more. */
  const old = Effect.map(
    Effect.forEach(all, ([tag, read]) => Effect.map(read.peek, (found) => (Option.isNone(found) ? [tag] : []))),
    (found) => found.flat()
  )
  return { rows, load, save, get: cacheAside(Docs)(load), readAll, old }
}

export const replaced = (name: string, layer: Effect.Effect<Layer.Layer<CacheServices, unknown>>): void => {
  const test = (title: string, body: () => Effect.Effect<void, unknown, CacheClient>) =>
    it.effect(`${title} (${name})`, () => Effect.flatMap(layer, (layer) => Effect.provide(body(), Layer.fresh(layer))))

  test("a write leaves entries that bear its tags alone, unless it is told otherwise", () =>
    Effect.gen(function*() {
      const { get, old, readAll, save } = world()
      yield* get({ id: "1" })
      yield* readAll
      yield* writeThrough(Docs)(save)({ id: "1", tenant: "b" })
      assert.deepStrictEqual(yield* old, [])
      assert.isTrue(Option.isSome(yield* get.peek({ id: "1" })))
      yield* writeThrough(Docs, { invalidateOwnTags: false })(save)({ id: "1", tenant: "b" })
      assert.deepStrictEqual(yield* old, [])
    }))

  test("its own tags are those of the replaced entry and of the new one", () =>
    Effect.gen(function*() {
      const { get, old, readAll, rows, save } = world()
      const move = writeThrough(Docs, { invalidateOwnTags: true, invalidateTags: ["fixed"] })(save)
      yield* get({ id: "1" })
      yield* tagCacheKey("doc:1", ["extra"])
      yield* readAll
      assert.deepStrictEqual(yield* move({ id: "1", tenant: "b" }), new Doc({ id: "1", tenant: "b" }))
      assert.deepStrictEqual(yield* old, ["tenant:a", "tenant:b", "docs", "fixed", "extra"])
      // It bears what was invalidated.
      assert.isTrue(Option.isNone(yield* get.peek({ id: "1" })))
      assert.strictEqual((yield* get({ id: "1" })).tenant, "b")
      // Of an entry that is not cached no tags are known but the fixed ones.
      yield* get.invalidate({ id: "1" })
      yield* readAll
      rows.set("1", "a")
      yield* move({ id: "1", tenant: "b" })
      assert.deepStrictEqual(yield* old, ["tenant:b", "docs", "fixed"])
      yield* readAll
      yield* writeAround(Fixed, { invalidateOwnTags: true })((_: Id) => Effect.void)({ id: "1" })
      assert.deepStrictEqual(yield* old, ["fixed"])
    }))

  test("the tags of an entry that is stale by one of them count", () =>
    Effect.gen(function*() {
      const { get, old, readAll } = world()
      yield* get({ id: "1" })
      yield* invalidateTags(["docs"])
      yield* readAll
      yield* writeAround(Docs, { invalidateOwnTags: true })((_: Id) => Effect.void)({ id: "1" })
      assert.deepStrictEqual(yield* old, ["tenant:a", "docs"])
    }))

  test("a write that failed makes old what it replaced", () =>
    Effect.gen(function*() {
      const { get, old, readAll } = world()
      let asked = 0
      const lists = { invalidateOwnTags: true, invalidateTags: () => [String(asked++)] } as const
      for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        const write = (_: Id) => end
        for (const writing of [writeThrough(Docs, lists)(write), writeAround(Docs, lists)(write)]) {
          yield* get({ id: "1" })
          yield* readAll
          assert.isTrue(Exit.isFailure(yield* Effect.exit(writing({ id: "1" }))))
          assert.deepStrictEqual(yield* old, ["tenant:a", "docs"])
        }
      }
      assert.strictEqual(asked, 0)
    }))

  test("tags that cannot be made of the new value are a CacheError, and the rest goes all the same", () =>
    Effect.gen(function*() {
      const { get, old, readAll, save } = world()
      const Strange = CacheRegion.make({
        ...Docs,
        tags: () => {
          throw new Error("bug")
        }
      })
      yield* get({ id: "1" })
      yield* readAll
      const own = { invalidateOwnTags: true } as const
      yield* writeThrough({ ...Strange, ...own })(save)({ id: "1", tenant: "b" })
      assert.deepStrictEqual(yield* old, ["tenant:a", "docs"])
      const strict = writeThrough({ ...Strange, onCacheError: "fail" }, own)(save)
      assert.strictEqual((yield* Effect.flip(strict({ id: "1", tenant: "b" }))).reason._tag, "EncodeFailed")
    }))

  test("of keys they are those of every entry, and of a create those of the new one", () =>
    Effect.gen(function*() {
      const { get, old, readAll, rows, save } = world()
      const ids = Array.from({ length: 600 }, (_, i) => String(i))
      for (const id of ids) rows.set(id, id === "599" ? "b" : "a")
      yield* Effect.forEach(ids, (id) => get({ id }), { discard: true })
      yield* readAll
      const drop = writeAround({
        keys: ids.map((id) => get.key({ id })),
        invalidateOwnTags: true,
        invalidateKeys: ({ previous }) => (Option.isNone(previous) ? [] : ["never"])
      })(Effect.void)
      yield* drop
      assert.deepStrictEqual(yield* old, ["tenant:a", "tenant:b", "docs"])
      yield* readAll
      const create = writeThrough(Docs, { keyOf: ({ id }) => ({ id }), invalidateOwnTags: true })(save)
      yield* create({ id: "new", tenant: "b" })
      assert.deepStrictEqual(yield* old, ["tenant:b", "docs"])
    }))

  test("lists see the value that was replaced, as its schema has it", () =>
    Effect.gen(function*() {
      const { get, old, readAll, save } = world()
      const seen: Array<unknown> = []
      const look = ({ previous }: { readonly previous: Option.Option<Doc> }) => {
        seen.push(Option.getOrUndefined(previous))
        return Option.match(previous, { onNone: () => [], onSome: (doc) => [`tenant:${doc.tenant}`] })
      }
      const move = writeThrough(Docs, { invalidateTags: look })(save)
      const drop = writeAround(Docs, { invalidateTags: look })((_: Id) => Effect.void)
      yield* get({ id: "1" })
      yield* readAll
      yield* move({ id: "1", tenant: "b" })
      assert.deepStrictEqual(yield* old, ["tenant:a"])
      // What the write has stored is replaced by the next one.
      yield* drop({ id: "1" })
      yield* move({ id: "1", tenant: "a" })
      assert.deepStrictEqual(seen, [new Doc({ id: "1", tenant: "a" }), new Doc({ id: "1", tenant: "b" }), undefined])
      assert.instanceOf(seen[0], Doc)
      // Of another schema there is none.
      const other = cacheAside({ key: "doc:{id}", schema: Schema.String })(({ id }: Id) => Effect.succeed(id))
      yield* get.invalidate({ id: "1" })
      yield* other({ id: "1" })
      yield* drop({ id: "1" })
      assert.isUndefined(seen[3])
    }))

  test("the value that was replaced is decoded for who asks, also by a schema that takes its time", () =>
    Effect.gen(function*() {
      let decoded = 0
      let fails = false
      const slow = (takes: Effect.Effect<void>) =>
        Schema.String.pipe(
          Schema.decodeTo(Schema.String, {
            decode: SchemaGetter.transformEffect((text: string) =>
              Effect.andThen(
                takes,
                Effect.suspend(() => {
                  decoded++
                  return fails ? Effect.die("no") : Effect.succeed(text)
                })
              )
            ),
            encode: SchemaGetter.transform((text: string) => text)
          })
        )
      for (const schema of [slow(Effect.void), slow(Effect.yieldNow)]) {
        const region = { key: "slow:{id}", schema, ttl: "1 minute" } as const
        const seen: Array<unknown> = []
        const save = ({ text }: Id & { readonly text: string }) => Effect.succeed(text)
        const silent = writeThrough(region, { invalidateTags: ({ value }) => [value] })(save)
        const asking = writeThrough(region, {
          invalidateKeys: ({ previous }) => {
            seen.push(Option.getOrUndefined(previous))
            return []
          },
          invalidateTags: ({ previous }) => [Option.getOrElse(previous, () => "none")]
        })(save)
        yield* silent({ id: "1", text: "first" })
        decoded = 0
        yield* silent({ id: "1", text: "second" })
        // Where callers share nothing, what is stored is a copy through the schema.
        if (name !== "copies") assert.strictEqual(decoded, 0)
        yield* asking({ id: "1", text: "third" })
        assert.deepStrictEqual(seen, ["second"])
        if (name !== "memory") assert.isAbove(decoded, 0)
        fails = name === "bytes" || name === "Redis"
        yield* asking({ id: "1", text: "fourth" })
        assert.deepStrictEqual(seen, ["second", fails ? undefined : "third"])
        fails = false
        yield* CacheClient.use((client) => client.clear)
      }
    }))

  test("a list that keeps what was replaced for itself does not keep the others from it", () =>
    Effect.gen(function*() {
      const { get, old, readAll } = world()
      yield* get({ id: "1" })
      yield* readAll
      const drop = writeAround(Docs, {
        invalidateKeys: () => {
          throw new Error("bug")
        },
        invalidateTags: ({ previous }) => [`tenant:${Option.getOrThrow(previous).tenant}`]
      })((_: Id) => Effect.void)
      assert.isTrue(Exit.hasDies(yield* Effect.exit(drop({ id: "1" }))))
      assert.deepStrictEqual(yield* old, ["tenant:a"])
    }))
}
