/**
 * What every `CacheBackend` must do with entries, leases and tags in headers.
 */
import { Effect } from "effect"
import { backendCase, read } from "./backendCase.ts"
import type { Script } from "./case.ts"
import { expect } from "./expect.ts"
import { opened, plant, valueOf, write } from "./values.ts"

export const backendCases: ReadonlyArray<Script> = [
  backendCase(
    "an absent key is a miss, and so are its lease and its removal",
    Effect.fnUntraced(function*(backend) {
      expect("a key that was never stored", yield* backend.read("k")).is(undefined)
      expect("the renewal of a lease that nobody took", yield* backend.renew("k", "a", 1000)).is(false)
      expect("the release of a lease that nobody took", yield* backend.release("k", "a", "keep")).is(false)
      expect("the entries removed", yield* backend.remove(["k"])).is(0)
      expect("the entries removed without keys", yield* backend.remove([])).is(0)
      expect("addTags to an entry that is not there", yield* backend.addTags("k", ["t"])).is(false)
    })
  ),

  backendCase(
    "takeOver and fill write header and value, whoever held the lease",
    Effect.fnUntraced(function*(backend) {
      yield* backend.acquire("k", "a", 10_000)
      const first = write(backend, { n: 1 }, 60_000, { born: 7, tags: ["x", "y"], freshUntil: 9 })
      yield* backend.takeOver("k", "b", 10_000, "refresh")
      expect("the fill of who took the lease over", yield* backend.fill("k", "b", first, "keep")).is(true)
      const found = opened(backend, yield* backend.read("k"))
      expect("the value", found?.value).is({ n: 1 })
      expect("born", found?.born).is(7)
      expect("freshUntil", found?.freshUntil).is(9)
      expect("the tags", [...(found?.tags ?? [])].sort()).is(["x", "y"])
      expect("the fill of the former holder", yield* backend.fill("k", "a", write(backend, 2), "keep")).is(false)
      expect("the value after it", yield* read(backend, "k")).is({ n: 1 })
      yield* backend.takeOver("k", "c", 10_000, "refresh")
      expect("the fill of the next holder", yield* backend.fill("k", "c", write(backend, 3), "keep")).is(true)
      expect("the value after it", yield* read(backend, "k")).is(3)
    })
  ),

  backendCase(
    "falsy values and large values come back",
    Effect.fnUntraced(function*(backend) {
      const values = [0, "", false, null, [], {}, "x".repeat(200_000), { deep: { list: [1, "2", null] } }]
      for (const [i, value] of values.entries()) {
        yield* plant(backend, `k${i}`, write(backend, value))
        expect("the value", yield* read(backend, `k${i}`)).is(value)
      }
    })
  ),

  backendCase(
    "an entry ends at its hard TTL, and not without one",
    Effect.fnUntraced(function*(backend, { advance }) {
      yield* plant(backend, "short", write(backend, 1, 50))
      yield* plant(backend, "long", write(backend, 2, Number.MAX_SAFE_INTEGER))
      yield* plant(backend, "ever", write(backend, 3))
      yield* plant(backend, "fraction", write(backend, 4, 60_000.5))
      yield* backend.acquire("filled", "a", 10_000)
      yield* backend.fill("filled", "a", write(backend, 5, 50), "keep")
      expect("the value before its end", yield* read(backend, "filled")).is(5)
      yield* advance(100)
      expect("an entry past its TTL", yield* backend.read("short")).is(undefined)
      expect("an entry past its TTL", yield* backend.read("filled")).is(undefined)
      expect("an entry with a very long TTL", yield* read(backend, "long")).is(2)
      expect("an entry without an end", yield* read(backend, "ever")).is(3)
      expect("an entry whose TTL is no whole number", yield* read(backend, "fraction")).is(4)
      expect("addTags to an entry past its TTL", yield* backend.addTags("short", ["t"])).is(false)
    })
  ),

  backendCase(
    "acquire names the holder; a resent acquire finds its own token",
    Effect.fnUntraced(function*(backend) {
      expect("the holder", yield* backend.acquire("k", "a", 10_000)).is("a")
      expect("the holder, told to another", yield* backend.acquire("k", "b", 10_000)).is("a")
      expect("the holder, told to itself", yield* backend.acquire("k", "a", 10_000)).is("a")
      expect("the holder of another key", yield* backend.acquire("other", "b", 10_000)).is("b")
    })
  ),

  backendCase(
    "a lease of a server ends at its TTL, unless renewed",
    Effect.fnUntraced(function*(backend, { advance }) {
      // Where reads need no trip, leases belong to the process and do not end.
      if (backend.local !== undefined) return
      yield* backend.acquire("k", "a", 50)
      yield* backend.acquire("renewed", "a", 50)
      expect("the renewal by the holder", yield* backend.renew("renewed", "a", 60_000)).is(true)
      expect("the renewal by another", yield* backend.renew("renewed", "b", 60_000)).is(false)
      yield* advance(100)
      expect("the renewal of a lease that ended", yield* backend.renew("k", "a", 1000)).is(false)
      expect("the fill after the lease ended", yield* backend.fill("k", "a", write(backend, 1), "keep")).is(false)
      expect("the holder after the end", yield* backend.acquire("k", "b", 10_000)).is("b")
      expect("the holder after the renewal", yield* backend.acquire("renewed", "b", 10_000)).is("a")
    })
  ),

  backendCase(
    "fill is fenced by the token, and drops the lease",
    Effect.fnUntraced(function*(backend) {
      yield* backend.acquire("k", "a", 10_000)
      expect("the fill of who is not the holder", yield* backend.fill("k", "b", write(backend, "b"), "keep")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the fill of the holder", yield* backend.fill("k", "a", write(backend, "a"), "keep")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("a")
      // The lease is gone, so a second fill with the same token is refused, and another may acquire.
      expect("a second fill with the token", yield* backend.fill("k", "a", write(backend, "again"), "keep")).is(false)
      expect("the value after it", yield* read(backend, "k")).is("a")
      expect("the holder after the fill", yield* backend.acquire("k", "c", 10_000)).is("c")
    })
  ),

  backendCase(
    "an absent lease rejects the fill",
    Effect.fnUntraced(function*(backend) {
      expect("a fill without a lease", yield* backend.fill("k", "a", write(backend, 1), "keep")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("a fill without a token", yield* backend.fill("k", "", write(backend, 1), "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
    })
  ),

  backendCase(
    "a refused fill with keep changes nothing",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "b", 10_000)
      expect("the fill of who is not the holder", yield* backend.fill("k", "a", write(backend, "a"), "keep")).is(false)
      expect("the value after it", yield* read(backend, "k")).is("old")
      expect("the holder after it", yield* backend.acquire("k", "c", 10_000)).is("b")
    })
  ),

  backendCase(
    "a refused fill with empty removes the entry, and leaves the lease that is there",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.takeOver("k", "a", 10_000, "refresh")
      expect("the value meanwhile", yield* read(backend, "k")).is("old")
      yield* backend.takeOver("k", "b", 10_000, "refresh")
      expect("the fill of who was overtaken", yield* backend.fill("k", "a", write(backend, "a"), "empty")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the fill of the holder", yield* backend.fill("k", "b", write(backend, "b"), "empty")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("b")
      expect("the fill without a lease", yield* backend.fill("k", "a", write(backend, "a"), "empty")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the holder after it", yield* backend.acquire("k", "c", 10_000)).is("c")
    })
  ),

  backendCase(
    "release drops the lease of its holder only",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "a", 10_000)
      expect("the release by another", yield* backend.release("k", "b", "keep")).is(false)
      expect("the holder after it", yield* backend.acquire("k", "c", 10_000)).is("a")
      expect("the release by the holder", yield* backend.release("k", "a", "unlink")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("old")
      expect("the holder after it", yield* backend.acquire("k", "c", 10_000)).is("c")
      expect("a release that lost, with unlink", yield* backend.release("k", "a", "unlink")).is(false)
      expect("the entry after it", yield* backend.read("k")).is(undefined)
      expect("the holder after it", yield* backend.acquire("k", "d", 10_000)).is("d")
    })
  ),

  backendCase(
    "takeOver replaces any holder, and unlinks the entry only when asked",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "old"))
      yield* backend.acquire("k", "a", 10_000)
      yield* backend.takeOver("k", "b", 10_000, "refresh")
      expect("the value after a takeOver without unlink", yield* read(backend, "k")).is("old")
      expect("the holder after it", yield* backend.acquire("k", "c", 10_000)).is("b")
      expect("the fill of the former holder", yield* backend.fill("k", "a", write(backend, "a"), "keep")).is(false)
      yield* backend.takeOver("k", "d", 10_000, "write")
      expect("the entry after a takeOver with unlink", yield* backend.read("k")).is(undefined)
      expect("the fill of the former holder", yield* backend.fill("k", "b", write(backend, "b"), "keep")).is(false)
      expect("the fill of the holder", yield* backend.fill("k", "d", write(backend, "d"), "keep")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("d")
      yield* backend.takeOver("new", "a", 10_000, "write")
      expect("the fill of a key that was free", yield* backend.fill("new", "a", write(backend, 1), "keep")).is(true)
    })
  ),

  backendCase(
    "takeOverFrom replaces the holder that it names, and no other",
    Effect.fnUntraced(function*(backend) {
      expect("of a lease that nobody holds", yield* backend.takeOverFrom("k", "a", "b", 10_000)).is(false)
      expect("the holder after it", yield* backend.acquire("k", "a", 10_000)).is("a")
      expect("from another", yield* backend.takeOverFrom("k", "x", "b", 10_000)).is(false)
      expect("from the holder", yield* backend.takeOverFrom("k", "a", "b", 10_000)).is(true)
      expect("the same again", yield* backend.takeOverFrom("k", "a", "b", 10_000)).is(true)
      expect("by a third", yield* backend.takeOverFrom("k", "a", "c", 10_000)).is(false)
      expect("the fill of the former holder", yield* backend.fill("k", "a", write(backend, "a"), "keep")).is(false)
      expect("the fill of the holder", yield* backend.fill("k", "b", write(backend, "b"), "keep")).is(true)
      expect("the value after it", yield* read(backend, "k")).is("b")
    })
  ),

  backendCase(
    "addTags adds to the header and leaves value, born and end alone",
    Effect.fnUntraced(function*(backend, { advance }) {
      yield* plant(backend, "k", write(backend, { v: 1 }, 100, { born: 5, tags: ["a"] }))
      expect("addTags", yield* backend.addTags("k", ["b", "a", "{c}*"])).is(true)
      const found = opened(backend, yield* backend.read("k"))
      expect("the tags after it", [...(found?.tags ?? [])].sort()).is(["a", "b", "{c}*"])
      expect("born after it", found?.born).is(5)
      expect("the value after it", found?.value).is({ v: 1 })
      yield* advance(200)
      expect("the entry past its TTL", yield* backend.read("k")).is(undefined)
    })
  ),

  backendCase(
    "addTags of an entry without an end leaves it without one",
    Effect.fnUntraced(function*(backend, { advance }) {
      yield* plant(backend, "k", write(backend, 1))
      expect("addTags", yield* backend.addTags("k", ["b"])).is(true)
      expect("addTags of no tags", yield* backend.addTags("k", [])).is(true)
      yield* advance(100)
      expect("the value some time later", yield* read(backend, "k")).is(1)
    })
  ),

  backendCase(
    "addTags keeps the lease",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, 1))
      yield* backend.acquire("k", "a", 10_000)
      expect("addTags", yield* backend.addTags("k", ["b"])).is(true)
      expect("the fill of the holder", yield* backend.fill("k", "a", write(backend, 2), "keep")).is(true)
    })
  ),

  backendCase(
    "primitives started in one tick are carried out in order",
    Effect.fnUntraced(function*(backend) {
      const [holder, , filled, found] = yield* Effect.all(
        [
          backend.acquire("k", "a", 10_000),
          backend.takeOver("k", "b", 10_000, "write"),
          backend.fill("k", "b", write(backend, "b"), "keep"),
          backend.read("k")
        ],
        { concurrency: "unbounded" }
      )
      expect("the holder, for the acquire that was started first", holder).is("a")
      expect("the fill, started after the takeOver", filled).is(true)
      expect("the value, read last", valueOf(backend, found)).is("b")
    })
  ),

  backendCase(
    "usage says whose numbers it gives",
    Effect.fnUntraced(function*(backend) {
      yield* plant(backend, "k", write(backend, "x".repeat(1000)))
      const usage = yield* backend.usage
      expect("the scope", usage.scope).fits("process or server", ["process", "server"].includes(usage.scope))
      expect("the entries", usage.entries).isAtLeast(1)
      expect("the bytes", usage.bytes).isAbove(0)
      expect("the evictions", usage.evictions).isAtLeast(0)
    })
  )
]
