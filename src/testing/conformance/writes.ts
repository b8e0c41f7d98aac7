/**
 * What every `CacheBackend` must do with the lease of writes.
 */
import { Effect } from "effect"
import { open } from "../../CacheEntry.ts"
import type { Give, Stored } from "../../services/CacheBackend.ts"
import { asWriteToken, isWrite, maxListed } from "../../protocol/lease.ts"
import { type Backend, backendCase, read } from "./backendCase.ts"
import { evictOf, type Script } from "./case.ts"
import { expect } from "./expect.ts"
import { plant, valueOf, write } from "./values.ts"

const [one, two] = [asWriteToken("one"), asWriteToken("two")]

/** What the lease says; it takes it where there is none. */
const said = (backend: Backend, key: string) => backend.acquire(key, "asks", 10_000)

const saysWrite = Effect.fnUntraced(function*(backend: Backend, when: string, before: ReadonlyArray<string>) {
  const text = yield* said(backend, "k")
  expect(`what the lease says ${when}`, text).fits("that of writes", isWrite(text))
  expect(`what the lease says ${when}`, text).fits("what it did not say before", !before.includes(text))
  return text
})

export const writeCases: ReadonlyArray<Script> = [
  backendCase(
    "a write alone fills",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "load", 10_000)
      expect("who holds the lease", (yield* backend.takeOver("k", one, 10_000, "write")).holder).is(one)
      expect("the same again", (yield* backend.takeOver("k", one, 10_000, "write")).holder).is(one)
      expect("the entry meanwhile", yield* backend.read("k")).is(undefined)
      expect("the fill of the load", yield* backend.fill("k", "load", write(backend, "load"), "keep")).is(false)
      expect("the fill of the write", yield* backend.fill("k", one, write(backend, "new"), "unlink")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("new")
    })
  ),

  ...[
    [one, two],
    [two, one]
  ].map(([first, last]) =>
    backendCase(
      `of two writes neither leaves a value, and the lease ends with the last (${first} ends first)`,
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.takeOver("k", one, 10_000, "write")
        expect("who joins", (yield* backend.takeOver("k", two, 10_000, "write")).holder).is(two)
        const both = yield* saysWrite(backend, "beside two writes", [one])
        expect("who joins again", (yield* backend.takeOver("k", two, 10_000, "write")).holder).is(two)
        expect("what the lease says then", yield* said(backend, "k")).is(both)
        expect("a renewal", yield* backend.renew("k", first!, 10_000)).is(true)
        expect("the first fill", yield* backend.fill("k", first!, write(backend, "first"), "unlink")).is(false)
        yield* saysWrite(backend, "when one has ended", [one, both])
        expect("the renewal of who has ended", yield* backend.renew("k", first!, 10_000)).is(false)
        expect("the last fill", yield* backend.fill("k", last!, write(backend, "last"), "unlink")).is(false)
        expect("the entry after both", yield* backend.read("k")).is(undefined)
        expect("the holder after both", yield* said(backend, "k")).is("asks")
      })
    )
  ),

  backendCase(
    "a write that ends without a value does so alone and beside others",
    Effect.fnUntraced(function*(backend) {
      yield* backend.takeOver("k", one, 10_000, "write")
      expect("alone", yield* backend.release("k", one, "unlink")).is(true)
      yield* backend.takeOver("k", one, 10_000, "write")
      yield* backend.takeOver("k", two, 10_000, "write")
      expect("beside another", yield* backend.release("k", one, "unlink")).is(false)
      expect("again", yield* backend.release("k", one, "keep")).is(false)
      yield* saysWrite(backend, "when one has ended", [one])
      expect("the last, from the background", yield* backend.release("k", two, "keep")).is(false)
      expect("the holder after both", yield* said(backend, "k")).is("asks")
    })
  ),

  backendCase(
    "a write that lost its lease leaves neither an entry, nor a load's lease, nor a write's as it was",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "load", 10_000)
      expect("the fill", yield* backend.fill("k", one, write(backend, "one"), "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the holder after it", yield* said(backend, "k")).is("asks")
      yield* backend.takeOver("k", two, 10_000, "write")
      expect("the fill", yield* backend.fill("k", one, write(backend, "one"), "unlink")).is(false)
      yield* saysWrite(backend, "after it", [two])
      expect("the fill of the other", yield* backend.fill("k", two, write(backend, "two"), "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the holder after it", yield* said(backend, "k")).is("asks")
    })
  ),

  ...(
    [
      ["remove", (backend: Backend) => backend.remove(["k"])],
      ["removeMatching", (backend: Backend) => backend.removeMatching("k*")],
      ["clear", (backend: Backend) => backend.clear]
    ] as const
  ).map(([name, invalidate]) =>
    backendCase(
      `${name} leaves the lease of a write, void, and with a new text each time`,
      Effect.fnUntraced(function*(backend) {
        yield* plant(backend, "k", write(backend, "old"))
        yield* backend.takeOver("k", one, 10_000, "write")
        yield* invalidate(backend)
        const first = yield* saysWrite(backend, `after ${name}`, [one])
        yield* invalidate(backend)
        yield* saysWrite(backend, `after ${name} again`, [one, first])
        expect("a renewal", yield* backend.renew("k", one, 10_000)).is(true)
        expect("the fill", yield* backend.fill("k", one, write(backend, "new"), "unlink")).is(false)
        expect("the entry after it", yield* backend.read("k")).is(undefined)
        expect("the holder after it", yield* said(backend, "k")).is("asks")
      })
    )
  ),

  backendCase(
    "takeOver as a write gives back what it unlinks, when that is asked for",
    Effect.fnUntraced(function*(backend) {
      const take = Effect.fnUntraced(function*(give?: Give) {
        const { holder, unlinked } = yield* backend.takeOver("k", one, 10_000, "write", give)
        expect("the holder", holder).is(one)
        expect("the entry after it", yield* backend.read("k")).is(undefined)
        yield* backend.release("k", one, "unlink")
        return unlinked
      })
      const tagsOf = (stored: Stored | undefined) => (stored instanceof Uint8Array ? open(stored) : stored)?.tags
      const tags = ["a", "b%", "\u00e9".repeat(200), ...Array.from({ length: 300 }, (_, i) => `tag ${i}`)]
      for (const give of ["header", "entry"] as const) {
        expect("of a key without an entry", yield* take(give)).is(undefined)
        for (const [value, some] of [
          ["x".repeat(5_000), tags],
          [1, []],
          [undefined, ["a"]]
        ] as const) {
          yield* plant(backend, "k", write(backend, value, 60_000, { tags: some }))
          const stored = yield* take(give)
          expect(`the tags, of its ${give}`, tagsOf(stored)).is(some)
          if (give === "entry") expect("its value", valueOf(backend, stored)).is(value)
        }
      }
      yield* plant(backend, "k", write(backend, 1))
      expect("what nobody has asked for", yield* take()).is(undefined)
    })
  ),

  backendCase(
    "a refresh leaves the lease of a write, and is told of it",
    Effect.fnUntraced(function*(backend) {
      yield* backend.takeOver("k", one, 10_000, "write")
      expect("what a refresh is told", (yield* backend.takeOver("k", "refresh", 10_000, "refresh")).holder).is(one)
      expect("its fill", yield* backend.fill("k", "refresh", write(backend, "old"), "keep")).is(false)
      expect("its release", yield* backend.release("k", "refresh", "keep")).is(false)
      expect("the fill of the write", yield* backend.fill("k", one, write(backend, "new"), "unlink")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("new")
    })
  ),

  backendCase(
    "a set beside a write makes its lease void, and leaves no entry",
    Effect.fnUntraced(function*(backend) {
      yield* backend.takeOver("k", one, 10_000, "write")
      const { holder: told } = yield* backend.takeOver("k", "set", 10_000, "set")
      expect("what the lease says after it", yield* saysWrite(backend, "after it", [one])).is(told)
      expect("the fill of the write", yield* backend.fill("k", one, write(backend, "new"), "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
    })
  ),

  backendCase(
    "a refresh and a renewal of a load leave a lease that is void",
    Effect.fnUntraced(function*(backend) {
      yield* backend.takeOver("k", one, 10_000, "write")
      yield* backend.remove(["k"])
      const text = yield* saysWrite(backend, "after remove", [one])
      expect("what a refresh is told", (yield* backend.takeOver("k", "refresh", 10_000, "refresh")).holder).is(text)
      expect("the renewal of a load", yield* backend.renew("k", "refresh", 10_000)).is(false)
      expect("the fill of a set", yield* backend.fill("k", "set", write(backend, "old"), "empty")).is(false)
      expect("what the lease says after all", yield* said(backend, "k")).is(text)
    })
  ),

  backendCase(
    "takeOverFrom replaces also the lease of a write, where that is named",
    Effect.fnUntraced(function*(backend) {
      yield* backend.takeOver("k", one, 10_000, "write")
      expect("from the write", yield* backend.takeOverFrom("k", one, "load", 10_000)).is(true)
      expect("what the lease says", yield* said(backend, "k")).is("load")
    })
  ),

  backendCase(
    "a set leaves the entry where no write is, and a write that ends without its lease does not",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "load", 10_000)
      expect("what a set is told", (yield* backend.takeOver("k", "set", 10_000, "set")).holder).is("set")
      expect("the value meanwhile", yield* read(backend, "k")).is("old")
      expect("the release of the write", yield* backend.release("k", one, "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
    })
  ),

  {
    ...backendCase(
      "a crowd of writes leaves no value, each renews, and no text comes back",
      Effect.fnUntraced(function*(backend, store) {
        const seen = new Set<string>()
        for (const life of ["first", "second"]) {
          const tokens = Array.from({ length: maxListed + 2 }, (_, i) => asWriteToken(`${life}-${i}`))
          for (const token of tokens) yield* backend.takeOver("k", token, 60_000, "write")
          for (const token of tokens) expect("a renewal", yield* backend.renew("k", token, 60_000)).is(true)
          for (const token of tokens) {
            const text = yield* said(backend, "k")
            expect("what the lease says", text).fits("that of writes, and new", isWrite(text) && !seen.has(text))
            seen.add(text)
            expect("a fill", yield* backend.fill("k", token, write(backend, token), "unlink")).is(false)
          }
          expect("the entry after all", yield* backend.read("k")).is(undefined)
          // Where more have come than it lists nobody knows who is the last, and it may be left to its end.
          const last = yield* said(backend, "k")
          expect("what the lease says after all", last).fits("nobody's, or new", last === "asks" || !seen.has(last))
          if (last !== "asks") seen.add(last)
          yield* evictOf(store)("lease", "k")
        }
      })
    ),
    group: "evictions"
  },

  backendCase(
    "what comes between leaves the end of the lease of writes; who joins and who renews puts it off",
    Effect.fnUntraced(function*(backend, { advance }) {
      // Where reads need no trip, leases belong to the process and do not end.
      if (backend.local !== undefined) return
      const ends: ReadonlyArray<readonly [name: string, between: Effect.Effect<unknown, unknown>]> = [
        ["a set", backend.takeOver("a set", "set", 60_000, "set")],
        ["remove", backend.remove(["remove"])],
        ["removeMatching", backend.removeMatching("removeMatching*")],
        ["the end of another", backend.fill("the end of another", two, write(backend, 1), "unlink")]
      ]
      const stays: ReadonlyArray<readonly [name: string, between: Effect.Effect<unknown, unknown>]> = [
        ["who joins", backend.takeOver("who joins", two, 60_000, "write")],
        ["who renews", Effect.andThen(backend.remove(["who renews"]), backend.renew("who renews", one, 60_000))]
      ]
      for (const [key, between] of [...ends, ...stays]) {
        yield* backend.takeOver(key, one, 50, "write")
        yield* between
      }
      yield* advance(100)
      for (const [key] of ends) expect(`the holder after ${key}, at the end`, yield* said(backend, key)).is("asks")
      for (const [key] of stays) {
        const text = yield* said(backend, key)
        expect(`what the lease says after ${key}`, text).fits("that of writes", isWrite(text))
      }
    })
  ),

  backendCase(
    "the lease of several writes lasts as long as the longest of them",
    Effect.fnUntraced(function*(backend, { advance }) {
      // Where reads need no trip, leases belong to the process and do not end.
      if (backend.local !== undefined) return
      yield* backend.takeOver("k", one, 60_000, "write")
      yield* backend.takeOver("k", two, 50, "write")
      yield* backend.renew("k", two, 50)
      yield* backend.remove(["k"])
      yield* advance(100)
      yield* saysWrite(backend, "some time later", [one, two])
      yield* backend.takeOver("other", one, 50, "write")
      yield* backend.remove(["other"])
      yield* advance(100)
      expect("the holder after the end", yield* said(backend, "other")).is("asks")
    })
  )
]
