/**
 * The `this` of a call is the loader's, whatever way the call goes; and no key is made of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { cacheAside, memoize, stampedeProtect, writeThrough } from "effect-cache"
import { CacheTest } from "effect-cache/testing"
import { inProcess } from "../support/layers.ts"

type Loader = (this: unknown, id: unknown) => Effect.Effect<string>
type Wrapped = Loader & { readonly refresh: Loader }

const settings = { schema: Schema.String, ttl: "1 minute" } as const
const patterns: Record<string, (load: Loader) => Wrapped> = {
  cacheAside: cacheAside({ ...settings, key: "aside:{0}" }) as never,
  stampedeProtect: stampedeProtect({ ...settings, key: "stampede:{0}" }) as never,
  writeThrough: writeThrough({ ...settings, key: "write:{0}" }) as never,
  "memoize by name": memoize({ ...settings, name: "named" }) as never,
  "memoize by key": memoize({ ...settings, key: "keyed:{0}" }) as never,
  "memoize without a schema": memoize({ name: "local", ttl: "1 minute" }) as never
}

class Repo {
  readonly seen: Array<unknown> = []
  readonly find: Wrapped
  readonly name: string
  constructor(name: string, find: Wrapped) {
    this.name = name
    this.find = find
  }
}

const nameOf: Loader = function (id) {
  const name = this === undefined ? "nobody" : this instanceof Repo ? this.name : typeof this
  return Effect.succeed(`${name} ${String(id)}`)
}

for (const [where, layer] of inProcess) {
  for (const [name, pattern] of Object.entries(patterns)) {
    it.effect(`${name} in ${where}: the loader has the this of the call`, () =>
      Effect.gen(function*() {
        const find = pattern(nameOf)
        const repo = new Repo("repo", find)
        assert.strictEqual(yield* repo.find(1), "repo 1")
        assert.strictEqual(yield* Effect.map(repo.find(2), (found) => found), "repo 2")
        assert.strictEqual(yield* find.call(repo, 3), "repo 3")
        assert.strictEqual(yield* find(4), "nobody 4")
        assert.deepStrictEqual(yield* Effect.all([5, 6].map(find, repo)), ["repo 5", "repo 6"])
        // The call is made once and run later: it has the `this` it was made with.
        const call = repo.find(7)
        assert.deepStrictEqual(yield* Effect.all([call, call], { concurrency: 2 }), ["repo 7", "repo 7"])
        // A primitive stays one.
        assert.strictEqual(yield* find.call("text", 8), "string 8")
        assert.strictEqual(yield* find.refresh.call(repo, 4), "repo 4")
        // Here `this` is the wrapped function, which is nobody's.
        assert.strictEqual(yield* repo.find.refresh(1), "nobody 1")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name} in ${where}: also of a call that cannot be cached, and of one within its own load`, () =>
      Effect.gen(function*() {
        const find: Wrapped = pattern(function (id) {
          return id === "inner" && this instanceof Repo && this.seen.push(id) === 1
            ? this.find("inner")
            : nameOf.call(this, id)
        })
        const repo = new Repo("repo", find)
        const unkeyed = name.startsWith("memoize ") ? () => 1 : Number.NaN
        assert.match(yield* repo.find(unkeyed), /^repo /)
        assert.match(yield* repo.find.refresh.call(repo, unkeyed), /^repo /)
        assert.match(yield* find(unkeyed), /^nobody /)
        assert.strictEqual(yield* repo.find("inner"), "repo inner")
        assert.strictEqual(repo.seen.length, 2)
      }).pipe(Effect.provide(layer))
    )
  }
}

describe("this", () => {
  it.effect("is no part of a key: two objects share what one has loaded", () =>
    Effect.gen(function*() {
      for (const [name, pattern] of Object.entries(patterns)) {
        if (name === "writeThrough") continue
        const find = pattern(nameOf)
        const [a, b] = [new Repo("a", find), new Repo("b", find)]
        assert.deepStrictEqual([yield* a.find(1), yield* b.find(1), yield* find(1)], ["a 1", "a 1", "a 1"])
      }
    }).pipe(Effect.provide(CacheTest.layer))
  )

  it.effect("is the caller's while the store fails, too", () =>
    Effect.gen(function*() {
      const test = yield* CacheTest
      yield* test.inject("*", { fail: true })
      for (const pattern of Object.values(patterns)) {
        const repo = new Repo("repo", pattern(nameOf))
        assert.strictEqual(yield* repo.find(1), "repo 1")
      }
    }).pipe(Effect.provide(CacheTest.layer))
  )
})
