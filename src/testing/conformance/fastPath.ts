/**
 * What a backend may have for speed alone: `lookup` and `lookupMany` of its `fast`. They must give what `read` and `markers`
 * give, as new. A backend that has neither is as right, and its cases pass without a look.
 */
import { Effect, Fiber, type Scope } from "effect"
import type { CacheError } from "../../CacheError.ts"
import type { FastPath, Lookup, Stored } from "../../services/CacheBackend.ts"
import type { ConformanceStore, Script } from "./case.ts"
import { expect } from "./expect.ts"
import type { Recorded } from "./record.ts"
import { hostile, opened, plant, valueOf, write } from "./values.ts"

/** What is found of some keys and some tags. */
interface Findings {
  readonly stored: ReadonlyArray<Stored | undefined>
  /** Once for each question that was asked. */
  readonly markers: ReadonlyArray<ReadonlyArray<number | undefined>>
}

/** What a case is given. */
interface Scene {
  /** The process that asks. */
  readonly one: Recorded
  /** Another one; the same where the entries live in this process. */
  readonly other: Recorded
  readonly store: ConformanceStore
  readonly find: (keys: ReadonlyArray<string>, tags: ReadonlyArray<string>) => Effect.Effect<Findings, CacheError>
}

interface LookupScene extends Scene {
  readonly ask: (key: string, tags?: ReadonlyArray<string>) => Effect.Effect<Lookup, CacheError>
}

type Body<A> = (scene: A) => Effect.Effect<void, unknown, Scope.Scope>

/** Turns of the event loop after which an answer that is told again is there. */
const quietTurns = 12

const withLookup = (lookup: NonNullable<FastPath["lookup"]>, scene: Omit<Scene, "find">, body: Body<LookupScene>) =>
  Effect.gen(function*() {
    const asked: Array<{ readonly key: string; told: number }> = []
    const ask: LookupScene["ask"] = (key, tags = []) =>
      Effect.callback((resume) => {
        const question = { key, told: 0 }
        asked.push(question)
        lookup(key, tags, (exit) => {
          question.told++
          resume(exit)
        })
      })
    const find: Scene["find"] = (keys, tags) =>
      Effect.map(
        Effect.forEach(keys, (key) => ask(key, tags), { concurrency: "unbounded" }),
        (found) => ({ stored: found.map(({ stored }) => stored), markers: found.map(({ markers }) => markers) })
      )
    yield* body({ ...scene, ask, find })
    yield* scene.one.backend.read("late")
    for (let i = 0; i < quietTurns; i++) yield* Effect.yieldNow
    for (const { key, told } of asked) expect(`how often the look-up of ${JSON.stringify(key)} told`, told).is(1)
  })

const withLookupMany = (
  lookupMany: NonNullable<FastPath["lookupMany"]>,
  scene: Omit<Scene, "find">,
  body: Body<Scene>
) =>
  body({
    ...scene,
    find: (keys, tags) => Effect.map(lookupMany(keys, tags), ({ markers, stored }) => ({ stored, markers: [markers] }))
  })

type Way = "lookup" | "lookupMany"

const fastCase = (name: string, way: Way, body: Body<LookupScene>): Script => ({
  group: "fastPath",
  name,
  body: Effect.fnUntraced(function*({ connect, store }) {
    const one = yield* connect("a: ")
    const fast = one.backend.fast
    if (fast?.[way] === undefined) return
    const other = one.backend.local === undefined ? yield* connect("b: ") : one
    const scene = { one, other, store }
    // A case for many asks for nothing that only a look-up gives.
    if (way === "lookup") yield* withLookup(fast.lookup!, scene, body)
    else yield* withLookupMany(fast.lookupMany!, scene, body as Body<Scene>)
  })
})

/** Looks, and compares with what the primitives give. For a store in which nothing happens meanwhile. */
const agree = Effect.fnUntraced(function*(
  { find, one: { backend, tags } }: Scene,
  keys: ReadonlyArray<string>,
  list: ReadonlyArray<string>
) {
  const { markers, stored } = yield* find(keys, list)
  const read = yield* Effect.forEach(keys, (key) => backend.read(key), { concurrency: "unbounded" })
  expect(
    "what is stored, by a look-up",
    stored.map((found) => opened(backend, found))
  ).is(read.map((found) => opened(backend, found)))
  const wanted = [...(yield* tags.markers(list))]
  for (const found of markers) expect("the markers, by a look-up", [...found]).is(wanted)
})

const casesOf = (way: Way): ReadonlyArray<Script> => [
  fastCase(
    `${way} gives what read and markers give`,
    way,
    Effect.fnUntraced(function*(scene) {
      const { one, other, store } = scene
      yield* other.tags.ensure(["made", "raised"], 60_000)
      yield* other.tags.invalidate(["raised"])
      yield* plant(other.backend, "there", write(other.backend, { n: 1 }))
      yield* plant(other.backend, "tagged", write(other.backend, 0, 60_000, { born: 7, tags: ["made"], freshUntil: 9 }))
      yield* other.backend.addTags("tagged", ["more"])
      for (const keys of [[], ["absent"], ["there"], ["there", "absent", "tagged", "there"]]) {
        for (const tags of [[], ["missing"], ["made"], ["raised", "missing", "made", "raised", "more"]]) {
          yield* agree(scene, keys, tags)
        }
      }
      // It may end between any two reads, so nothing is said of it before.
      yield* plant(other.backend, "short", write(other.backend, "s", 50))
      yield* store.advance(100)
      const { stored } = yield* scene.find(["short", "there"], [])
      expect("an entry past its TTL", stored[0]).is(undefined)
      expect("an entry without an end", valueOf(one.backend, stored[1])).is({ n: 1 })
    })
  ),

  fastCase(
    `${way} takes many keys and many tags`,
    way,
    Effect.fnUntraced(function*(scene) {
      const { backend, tags } = scene.one
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`)
      const list = Array.from({ length: 300 }, (_, i) => `t${i}`)
      const even = (_: string, i: number) => i % 2 === 0
      yield* tags.ensure(list.filter(even), 60_000)
      yield* tags.invalidate(list.slice(100, 200))
      yield* Effect.forEach(keys.filter(even), (key) => plant(backend, key, write(backend, key)), {
        concurrency: "unbounded"
      })
      // Each look-up asks for all the tags.
      yield* agree(scene, way === "lookup" ? keys.slice(0, 4) : keys, list)
      yield* agree(scene, keys, [])
    })
  ),

  fastCase(
    `${way} keeps hostile keys and tags apart`,
    way,
    Effect.fnUntraced(function*(scene) {
      const { backend, tags } = scene.one
      expect("what is stored, before anything was", [...(yield* scene.find(hostile, hostile)).stored]).is(
        hostile.map(() => undefined)
      )
      yield* tags.ensure(hostile, 60_000)
      for (const [i, text] of hostile.entries()) {
        yield* plant(backend, text, write(backend, i))
        yield* tags.invalidate([text])
      }
      const { markers, stored } = yield* scene.find(hostile, hostile)
      expect(
        "the values",
        stored.map((found) => valueOf(backend, found))
      ).is([...hostile.keys()])
      const wanted = [...(yield* tags.markers(hostile))]
      for (const found of markers) expect("the markers", [...found]).is(wanted)
    })
  ),

  fastCase(
    `${way} sees what was acknowledged before it`,
    way,
    Effect.fnUntraced(function*({ find, one, other }) {
      const look = (after: string) =>
        Effect.map(find(["k"], ["t"]), ({ markers, stored }) => ({
          marker: markers[0]?.[0],
          value: (expected: unknown) => expect(`the value after ${after}`, valueOf(one.backend, stored[0])).is(expected)
        }))
      for (const by of [other, one]) {
        const { backend, tags } = by
        for (const value of [1, 2]) {
          yield* plant(backend, "k", write(backend, value))
          ;(yield* look("a fill")).value(value)
        }
        yield* backend.takeOver("k", "w", 10_000, "write")
        ;(yield* look("a takeOver with unlink")).value(undefined)
        yield* plant(backend, "k", write(backend, 3))
        ;(yield* look("a fill")).value(3)
        yield* backend.remove(["k"])
        ;(yield* look("a remove")).value(undefined)
        yield* plant(backend, "k", write(backend, 4))
        ;(yield* look("a fill")).value(4)
        yield* backend.removeMatching("k*")
        ;(yield* look("a removeMatching")).value(undefined)
        yield* plant(backend, "k", write(backend, 5))
        yield* tags.ensure(["t"], 60_000)
        expect("the marker after an ensure", (yield* look("a fill")).marker).isAtMost(yield* one.tags.epoch)
        for (let i = 0; i < 3; i++) {
          yield* tags.invalidate(["t"])
          const { marker, value } = yield* look("an invalidation of a tag")
          value(5)
          expect("the marker after an invalidation", marker).is(yield* one.tags.epoch)
        }
        const before = yield* one.tags.epoch
        yield* backend.clear
        const { marker = Infinity, value } = yield* look("a clear")
        value(undefined)
        expect("the marker after a clear", marker).isAbove(before)
      }
    })
  ),

  fastCase(
    `${way} sees what was started before it in its tick`,
    way,
    Effect.fnUntraced(function*({ find, one: { backend } }) {
      const [, filled, found] = yield* Effect.all(
        [
          backend.takeOver("k", "a", 10_000, "write"),
          backend.fill("k", "a", write(backend, "new"), "keep"),
          find(["k"], [])
        ],
        { concurrency: "unbounded" }
      )
      expect("the fill, started after the takeOver", filled).is(true)
      expect("the value, looked up last", valueOf(backend, found.stored[0])).is("new")
    })
  ),

  fastCase(
    `${way} makes no marker up while they are being made`,
    way,
    Effect.fnUntraced(function*({ find, one, other }) {
      const now = yield* one.tags.epoch
      const list = Array.from({ length: 20 }, (_, i) => `t${i}`)
      const watch = Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.map(find(["k"], list), ({ markers }) => {
          for (const marker of markers.flat()) {
            expect("a marker", marker).fits(
              `nothing, Infinity, or ${now}`,
              marker === undefined || marker === Infinity || marker === now
            )
          }
        })
      )
      yield* Effect.all([other.tags.ensure(list, 60_000), one.tags.ensure(list, 60_000), watch], {
        concurrency: "unbounded"
      })
      expect("the markers, once they are made", [...((yield* find(["k"], list)).markers[0] ?? [])]).is(
        list.map(() => now)
      )
    })
  )
]

export const fastPathCases: ReadonlyArray<Script> = [
  ...casesOf("lookup"),
  ...casesOf("lookupMany"),

  fastCase(
    "what lookup shares is shared by those who asked at one moment, and by nobody later",
    "lookup",
    Effect.fnUntraced(function*({ ask, one, other }) {
      const before = new Set<object>()
      const shares = (found: ReadonlyArray<Lookup>): Set<object> => {
        const all = new Set<object>()
        for (const { shared } of found) if (shared !== undefined) all.add(shared)
        return all
      }
      for (let round = 0; round < 3; round++) {
        for (const key of ["k", "l"]) yield* plant(other.backend, key, write(other.backend, [key, round]))
        const keys = ["k", "l", "k", "k", "l"]
        const found = yield* Effect.forEach(keys, (key) => ask(key), { concurrency: "unbounded" })
        expect(
          "the values",
          found.map(({ stored }) => valueOf(one.backend, stored))
        ).is(keys.map((key) => [key, round]))
        const ofKey = (key: string) => shares(found.filter((_, i) => keys[i] === key))
        const [k, l] = [ofKey("k"), ofKey("l")]
        for (const objects of [k, l])
          expect("the objects shared by those who asked for a key", objects.size).isAtMost(1)
        expect("the objects shared by those who asked for two keys", new Set([...k, ...l]).size).is(k.size + l.size)
        for (const shared of [...k, ...l] as ReadonlyArray<NonNullable<Lookup["shared"]>>) {
          expect("whether what is shared was given to somebody before", before.has(shared)).is(false)
          expect("what is kept in something new to share", shared.opened).is(undefined)
          before.add(shared)
          shared.opened = "something"
        }
      }
      // Asked while the one before is on its way, but after something was acknowledged that this one may not have seen.
      const early = yield* Effect.forkChild(ask("k"), { startImmediately: true })
      yield* plant(other.backend, "k", write(other.backend, "new"))
      const late = yield* Effect.all([ask("k"), ask("k")], { concurrency: "unbounded" })
      for (const { stored } of late) expect("the value after a fill", valueOf(one.backend, stored)).is("new")
      const { shared } = yield* Fiber.join(early)
      expect("whether it is shared with who asked before", shared !== undefined && shares(late).has(shared)).is(false)
    })
  )
]
