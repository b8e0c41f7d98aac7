/**
 * The primitives without effects of a backend whose entries live in this process: they are those of the same names. A backend
 * without them is as right, and these cases pass without a look.
 */
import { Effect } from "effect"
import type { CacheEntry } from "../../CacheEntry.ts"
import { processNow } from "../../internal/processTime.ts"
import { absent, stamps } from "../../internal/stamp.ts"
import type { FastPath, LocalPrimitives } from "../../services/CacheBackend.ts"
import type { ConformanceStore, Script } from "./case.ts"
import { expect } from "./expect.ts"
import type { Recorded } from "./record.ts"
import { header, hostile, opened, plant, write } from "./values.ts"

interface Scene extends Recorded {
  readonly local: LocalPrimitives
  readonly store: ConformanceStore
}

const localCase = (name: string, body: (scene: Scene) => Effect.Effect<void, unknown>): Script => ({
  group: "fastPath",
  name,
  body: ({ connect, store }) =>
    Effect.flatMap(connect(""), (primitives) => {
      const { local } = primitives.backend
      return local === undefined ? Effect.void : body({ ...primitives, local, store })
    })
})

const pickCase = (
  name: string,
  body: (scene: Scene & { readonly pick: NonNullable<FastPath["pick"]> }) => Effect.Effect<void, unknown>
): Script =>
  localCase(name, (scene) => {
    const pick = scene.backend.fast?.pick
    return pick === undefined ? Effect.void : body({ ...scene, pick })
  })

const entry = (value: unknown, overrides?: Parameters<typeof header>[0]): CacheEntry => ({
  ...header(overrides),
  value
})

export const localCases: ReadonlyArray<Script> = [
  localCase(
    "local.get gives what read gives",
    Effect.fnUntraced(function*({ backend, local, store }) {
      expect("the format of what lives in this process", backend.format).is("values")
      const agree = Effect.fnUntraced(function*(key: string) {
        const found = local.get(key, yield* processNow)
        expect(`what get gives for ${JSON.stringify(key)}`, found).is(opened(backend, yield* backend.read(key)))
        return found?.value
      })
      expect("a key that was never stored", yield* agree("k")).is(undefined)
      for (const value of [{ n: 1 }, 0, "", false, null]) {
        yield* plant(backend, "k", write(backend, value, 60_000, { born: 7, tags: ["x"], freshUntil: 9 }))
        expect("the value", yield* agree("k")).is(value)
      }
      yield* backend.addTags("k", ["y"])
      yield* agree("k")
      yield* backend.remove(["k"])
      expect("the value after a remove", yield* agree("k")).is(undefined)
      yield* plant(backend, "short", write(backend, 1, 50))
      expect("the value before its end", yield* agree("short")).is(1)
      yield* store.advance(100)
      expect("the value past its TTL", yield* agree("short")).is(undefined)
      yield* plant(backend, "k", write(backend, 2))
      yield* backend.clear
      expect("the value after a clear", yield* agree("k")).is(undefined)
    })
  ),

  localCase(
    "local.epoch, ensure and marker are those of the TagIndex",
    Effect.fnUntraced(function*({ backend, local, tags }) {
      const agree = Effect.fnUntraced(function*(...list: ReadonlyArray<string>) {
        expect(
          "the markers",
          list.map((tag) => local.marker(tag))
        ).is([...(yield* tags.markers(list))])
        expect("the epoch", local.epoch()).is(yield* tags.epoch)
      })
      yield* agree("a", "b", "c")
      local.ensure([])
      local.ensure(["a", "a"])
      expect("the marker that was made", local.marker("a")).is(local.epoch())
      yield* agree("a", "b", "c")
      const before = local.epoch()
      yield* tags.invalidate(["b"])
      expect("the epoch after an invalidation", local.epoch()).isAbove(before)
      // Not `before`: had an invalidation of "c" been lost with its marker, a lower one would bring its entries back.
      local.ensure(["a", "c"])
      expect("the markers", [local.marker("a"), local.marker("c")]).is([before, local.epoch()])
      yield* agree("a", "b", "c")
      yield* tags.invalidate(["a"])
      expect("the marker after an invalidation", local.marker("a")).is(local.epoch())
      yield* agree("a", "b", "c")
      yield* backend.clear
      yield* agree("a", "b", "c")
    })
  ),

  localCase(
    "local.acquire, holder and release are of the same leases",
    Effect.fnUntraced(function*({ backend, local }) {
      expect("the holder, when nobody is", local.holder("k")).is(undefined)
      expect("the release of a lease that nobody took", local.release("k", "a")).is(false)
      expect("the holder, told to who acquires", local.acquire("k", "a")).is("a")
      expect("the holder, told to another", local.acquire("k", "b")).is("a")
      expect("the holder, told to another by the effect", yield* backend.acquire("k", "b", 10_000)).is("a")
      expect("the holder", local.holder("k")).is("a")
      yield* backend.takeOver("k", "b", 10_000, "refresh")
      expect("the holder after a takeOver", local.holder("k")).is("b")
      expect("the release by the former holder", local.release("k", "a")).is(false)
      expect("the release by the holder", local.release("k", "b")).is(true)
      expect("the holder after the release", local.holder("k")).is(undefined)
      yield* backend.acquire("k", "c", 10_000)
      expect("the holder after an acquire by the effect", local.holder("k")).is("c")
      yield* backend.remove(["k"])
      expect("the holder after a remove", local.holder("k")).is(undefined)
      local.acquire("k", "d")
      yield* backend.release("k", "d", "keep")
      expect("the holder after a release by the effect", local.holder("k")).is(undefined)
      local.acquire("k", "e")
      yield* backend.clear
      expect("the holder after a clear", local.holder("k")).is(undefined)
    })
  ),

  localCase(
    "local.fill is fenced by the token, and drops the lease",
    Effect.fnUntraced(function*({ backend, local, store }) {
      const fill = (key: string, token: string, value: unknown, ttlMillis = 60_000) =>
        Effect.map(processNow, (now) => local.fill(key, token, entry(value), ttlMillis, now))
      const value = (key: string) => Effect.map(backend.read(key), (found) => opened(backend, found)?.value)
      expect("a fill without a lease", yield* fill("k", "a", 1)).is(false)
      expect("the value after it", yield* value("k")).is(undefined)
      yield* backend.acquire("k", "a", 10_000)
      expect("the fill of who is not the holder", yield* fill("k", "b", 2)).is(false)
      expect("the value after it", yield* value("k")).is(undefined)
      expect("the holder after it", local.holder("k")).is("a")
      expect("the fill of the holder", yield* fill("k", "a", 3)).is(true)
      expect("the value after it", yield* value("k")).is(3)
      expect("the holder after it", local.holder("k")).is(undefined)
      expect("a second fill with the token", yield* fill("k", "a", 4)).is(false)
      local.acquire("k", "a")
      yield* backend.remove(["k"])
      expect("the fill of who held the lease before a remove", yield* fill("k", "a", 5)).is(false)
      expect("the value after it", yield* value("k")).is(undefined)
      local.acquire("short", "a")
      yield* fill("short", "a", 6, 50)
      expect("the value before its end", yield* value("short")).is(6)
      yield* store.advance(100)
      expect("the value past its TTL", yield* value("short")).is(undefined)
    })
  ),

  localCase(
    "hostile keys and tags are kept apart without effects, too",
    Effect.fnUntraced(function*({ backend, local, tags }) {
      const now = yield* processNow
      local.ensure(hostile)
      for (const [i, text] of hostile.entries()) {
        expect("the holder", local.acquire(text, `t${i}`)).is(`t${i}`)
        yield* tags.invalidate([text])
        expect("the marker", local.marker(text)).is(local.epoch())
      }
      for (const [i, text] of hostile.entries()) {
        expect("the fill", local.fill(text, `t${i}`, entry(i), Infinity, now)).is(true)
      }
      for (const [i, text] of hostile.entries()) {
        expect(`what get gives for ${JSON.stringify(text)}`, local.get(text, now)?.value).is(i)
        expect("what read gives", opened(backend, yield* backend.read(text))?.value).is(i)
      }
      expect(
        "the markers",
        hostile.map((tag) => local.marker(tag))
      ).is([...(yield* tags.markers(hostile))])
    })
  ),

  pickCase(
    "pick gives the value of an entry of its stamp, without a tag, before its end, and of no other",
    Effect.fnUntraced(function*({ backend, pick, store }) {
      const [stamp, another] = [stamps.of(header().fingerprint), stamps.of("another")]
      const picked = (key: string, by = stamp) => Effect.map(processNow, (now) => pick(key, by.number, now))
      expect("the pick of a key that was never stored", yield* picked("k")).is(absent)
      for (const value of [{ n: 1 }, 0, "", false, null, undefined]) {
        yield* plant(backend, "k", write(backend, value))
        expect("the pick of an entry", yield* picked("k")).is(value)
        expect("the pick of an entry of another stamp", yield* picked("k", another)).is(absent)
      }
      yield* plant(backend, "k", write(backend, 1, Infinity, { fingerprint: "another" }))
      expect("the pick of an entry that was replaced by one of another stamp", yield* picked("k")).is(absent)
      yield* plant(backend, "k", write(backend, 2, Infinity, { tags: ["t"] }))
      for (const by of [stamp, another]) expect("the pick of an entry with a tag", yield* picked("k", by)).is(absent)
      yield* plant(backend, "k", write(backend, 3))
      expect("the pick of an entry that replaced it", yield* picked("k")).is(3)
      yield* backend.addTags("k", ["t"])
      expect("the pick of an entry that was given a tag", yield* picked("k")).is(absent)
      yield* plant(backend, "k", write(backend, 4))
      yield* backend.remove(["k"])
      expect("the pick of an entry that was removed", yield* picked("k")).is(absent)
      yield* plant(backend, "k", write(backend, 5, 50))
      expect("the pick of an entry before its end", yield* picked("k")).is(5)
      yield* store.advance(100)
      expect("the pick of an entry past its TTL", yield* picked("k")).is(absent)
      yield* plant(backend, "k", write(backend, 6))
      yield* backend.clear
      expect("the pick of an entry after a clear", yield* picked("k")).is(absent)
    })
  )
]
