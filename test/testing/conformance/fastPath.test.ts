/**
 * The kit looks at what a backend has for speed alone: one that is right passes, each way to go wrong is found, and a backend
 * without passes too.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Fiber } from "effect"
import type { CacheError, CachePrimitives } from "effect-cache"
import { Conformance, type ConformanceStore } from "effect-cache/testing"
import { openMapStore } from "../../../examples/custom-backend/mapBackend.ts"
import { absent } from "../../../src/internal/stamp.ts"
import type { FastPath, LocalPrimitives, Lookup, Lookups } from "../../../src/services/CacheBackend.ts"
import { conformance, memoryStore } from "../../contract/conformance.ts"

type Ask = NonNullable<FastPath["lookup"]>
type AskMany = NonNullable<FastPath["lookupMany"]>

const both = ({ backend, tags }: CachePrimitives, key: string, list: ReadonlyArray<string>) =>
  Effect.map(
    Effect.all([backend.read(key), tags.markers(list)], { concurrency: "unbounded" }),
    ([stored, markers]): Lookup => ({ stored, markers })
  )

const run = (self: Effect.Effect<Lookup, CacheError>, done: (exit: Exit.Exit<Lookup, CacheError>) => void): void => {
  Effect.runFork(self).addObserver(done)
}

const rightLookup =
  (primitives: CachePrimitives): Ask =>
  (key, list, done) =>
    run(both(primitives, key, list), done)

const rightMany =
  ({ backend, tags }: CachePrimitives): AskMany =>
  (keys, list) =>
    Effect.map(
      Effect.all([Effect.forEach(keys, (key) => backend.read(key), { concurrency: "unbounded" }), tags.markers(list)], {
        concurrency: "unbounded"
      }),
      ([stored, markers]): Lookups => ({ stored, markers })
    )

/** The backend on Maps with a fast path. It says how long it takes, or the client would not use the look-up. */
const openWith = (fastOf: (right: CachePrimitives) => FastPath) =>
  Effect.map(
    openMapStore,
    (store): ConformanceStore => ({
      ...store,
      connect: Effect.map(store.connect, (right) => ({
        ...right,
        backend: { ...right.backend, deadlineMillis: 1_000, fast: fastOf(right) }
      }))
    })
  )

const rightFast = (right: CachePrimitives): FastPath => ({ lookup: rightLookup(right), lookupMany: rightMany(right) })

conformance("a backend on Maps with a fast path", openWith(rightFast), ["fastPath", "protocol", "sharing"])
conformance("a backend on Maps without one", openMapStore, ["fastPath"])

const failureOf = (open: Parameters<typeof Conformance.cases>[0], name: string) =>
  Effect.flip(Conformance.cases(open).find((one) => one.name === name)?.run ?? Effect.die(`there is no case ${name}`))

interface Mistake {
  readonly what: string
  readonly lookup?: (right: CachePrimitives) => Ask
  readonly lookupMany?: (right: CachePrimitives) => AskMany
  /** The case that finds it. */
  readonly caught: string
  /** What it looked at. */
  readonly about: string
}

/** What was found first for a key, for ever. */
const remembering = <A>() => {
  const known = new Map<string, A>()
  return (key: string, find: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() =>
      known.has(key)
        ? Effect.succeed(known.get(key)!)
        : Effect.tap(find, (found) => Effect.sync(() => known.set(key, found)))
    )
}

const mistakes: ReadonlyArray<Mistake> = [
  {
    what: "a look-up reads markers from before its question",
    lookup: (right) => {
      const remember = remembering<ReadonlyArray<number | undefined>>()
      return (key, list, done) =>
        run(
          Effect.flatMap(right.backend.read(key), (stored) =>
            Effect.map(remember(list.join(), right.tags.markers(list)), (markers) => ({ stored, markers }))
          ),
          done
        )
    },
    caught: "lookup sees what was acknowledged before it",
    about: "the marker after an ensure"
  },
  {
    what: "a look-up gives bytes from before its question",
    lookup: (right) => {
      const remember = remembering<Lookup>()
      return (key, list, done) => run(remember(key, both(right, key, list)), done)
    },
    caught: "lookup sees what was acknowledged before it",
    about: "the value after a fill"
  },
  {
    what: "a look-up joins one that is on its way",
    lookup: (right) => {
      const way = new Map<string, Fiber.Fiber<Lookup, CacheError>>()
      return (key, list, done) => {
        const slow = Effect.tap(both(right, key, list), () => Effect.sleep(20))
        const fiber = way.get(key) ?? Effect.runFork(slow)
        way.set(key, fiber)
        fiber.addObserver((exit) => {
          way.delete(key)
          done(exit)
        })
      }
    },
    caught: "what lookup shares is shared by those who asked at one moment, and by nobody later",
    about: "the value after a fill"
  },
  {
    what: "a look-up tells twice",
    lookup: (right) => (key, list, done) =>
      rightLookup(right)(key, list, (exit) => {
        done(exit)
        queueMicrotask(() => done(exit))
      }),
    caught: "lookup gives what read and markers give",
    about: 'how often the look-up of "absent" told'
  },
  {
    what: "a look-up throws when it is given no tags",
    lookup: (right) => (key, list, done) => {
      if (list.length === 0) throw new TypeError("no tags")
      rightLookup(right)(key, list, done)
    },
    caught: "lookup gives what read and markers give",
    about: "the case"
  },
  {
    what: "a look-up mixes the markers up",
    lookup: (right) => (key, list, done) => rightLookup(right)(key, [...list].sort(), done),
    caught: "lookup gives what read and markers give",
    about: "the markers, by a look-up"
  },
  {
    what: "a look-up gives what is not there as 0",
    lookup: (right) => (key, list, done) =>
      rightLookup(right)(key, list, (exit) =>
        done(Exit.map(exit, ({ markers, stored }) => ({ stored, markers: markers.map((marker) => marker ?? 0) })))
      ),
    caught: "lookup gives what read and markers give",
    about: "the markers, by a look-up"
  },
  {
    what: "a look-up takes a careless text of its question for another one",
    lookup: (right) => {
      const texts = new Map<string, string>()
      return (key, list, done) => {
        const text = `e:${key}`.trim()
        if (!texts.has(text)) texts.set(text, key)
        rightLookup(right)(texts.get(text)!, list, done)
      }
    },
    caught: "lookup keeps hostile keys and tags apart",
    about: "the values"
  },
  {
    what: "a look-up shares across questions",
    lookup: (right) => {
      const shares = new Map<string, object>()
      return (key, list, done) => {
        const shared = shares.get(key) ?? {}
        shares.set(key, shared)
        rightLookup(right)(key, list, (exit) => done(Exit.map(exit, (found) => ({ ...found, shared }))))
      }
    },
    caught: "what lookup shares is shared by those who asked at one moment, and by nobody later",
    about: "whether what is shared was given to somebody before"
  },
  {
    what: "a look-up shares across keys",
    lookup: (right) => {
      let shared: object | undefined
      return (key, list, done) => {
        if (shared === undefined) queueMicrotask(() => (shared = undefined))
        const mine = (shared ??= {})
        rightLookup(right)(key, list, (exit) => done(Exit.map(exit, (found) => ({ ...found, shared: mine }))))
      }
    },
    caught: "what lookup shares is shared by those who asked at one moment, and by nobody later",
    about: "the objects shared by those who asked for two keys"
  },
  {
    what: "many are looked up without repeats",
    lookupMany: (right) => (keys, list) => rightMany(right)([...new Set(keys)], list),
    caught: "lookupMany gives what read and markers give",
    about: "what is stored, by a look-up"
  },
  {
    what: "many are looked up, and only the first of their markers",
    lookupMany: (right) => (keys, list) => rightMany(right)(keys, list.slice(0, 100)),
    caught: "lookupMany takes many keys and many tags",
    about: "the markers, by a look-up"
  },
  {
    what: "many are looked up from before the question",
    lookupMany: (right) => {
      const remember = remembering<Lookups>()
      return (keys, list) => remember(keys.join(), rightMany(right)(keys, list))
    },
    caught: "lookupMany sees what was acknowledged before it",
    about: "the value after a fill"
  }
]

describe("a fast path that goes wrong is found", () => {
  for (const { about, caught, lookup, lookupMany, what } of mistakes) {
    it.live(what, () =>
      Effect.gen(function*() {
        const open = openWith((right) => ({ lookup: lookup?.(right), lookupMany: lookupMany?.(right) }))
        assert.strictEqual((yield* failureOf(open, caught)).about, about)
      })
    )
  }

  it.live("one that tells twice says so in its story, and no case hangs on it", () =>
    Effect.gen(function*() {
      const open = openWith((right) => ({
        lookup: (key, list, done) => {
          rightLookup(right)(key, list, done)
          rightLookup(right)(key, list, done)
        }
      }))
      const failure = yield* failureOf(open, "lookup sees what was started before it in its tick")
      assert.include(failure.steps.join("\n"), "a: lookup('k') told again")
      assert.deepStrictEqual([failure.expected, failure.actual], ["1", "2"])
      // The guard keeps it from the client, whose promise holds.
      yield* Conformance.cases(open).find(({ name }) => name === "rule: fence on fill")!.run
    })
  )
})

describe("primitives without effects that go wrong are found", () => {
  type Wrong = (right: {
    readonly local: LocalPrimitives
    readonly pick: NonNullable<FastPath["pick"]>
    readonly backend: CachePrimitives["backend"]
  }) => { readonly local?: Partial<LocalPrimitives>; readonly pick?: FastPath["pick"] }

  const openLocalWith = (wrong: Wrong) =>
    Effect.map(
      memoryStore,
      (store): ConformanceStore => ({
        ...store,
        connect: Effect.map(store.connect, (right) => {
          const { local, pick } = wrong({
            backend: right.backend,
            local: right.backend.local!,
            pick: right.backend.fast!.pick!
          })
          return {
            ...right,
            backend: {
              ...right.backend,
              local: { ...right.backend.local!, ...local },
              fast: { pick: pick ?? right.backend.fast!.pick }
            }
          }
        })
      })
    )

  const picks = "pick gives the value of an entry of its stamp, without a tag, before its end, and of no other"
  const wrongs: ReadonlyArray<readonly [what: string, wrong: Wrong, caught: string, about: string]> = [
    [
      "get gives what has expired",
      ({ local }) => {
        const start = new Map<string, number>()
        return {
          local: {
            get: (key, now) => {
              start.set(key, start.get(key) ?? now)
              return local.get(key, start.get(key)!)
            }
          }
        }
      },
      "local.get gives what read gives",
      'what get gives for "short"'
    ],
    [
      "ensure makes no marker",
      () => ({ local: { ensure: () => {} } }),
      "local.epoch, ensure and marker are those of the TagIndex",
      "the marker that was made"
    ],
    [
      "a missing marker is 0",
      ({ local }) => ({ local: { marker: (tag) => local.marker(tag) ?? 0 } }),
      "local.epoch, ensure and marker are those of the TagIndex",
      "the markers"
    ],
    [
      "acquire replaces the holder",
      () => ({ local: { acquire: (_, token) => token } }),
      "local.acquire, holder and release are of the same leases",
      "the holder, told to another"
    ],
    [
      "anybody may release",
      ({ local }) => ({ local: { release: (key) => local.release(key, local.holder(key) ?? "") } }),
      "local.acquire, holder and release are of the same leases",
      "the release by the former holder"
    ],
    [
      "fill looks at no lease",
      ({ local }) => ({
        local: {
          fill: (key, token, entry, ttlMillis, now) => {
            local.release(key, local.holder(key) ?? "")
            local.acquire(key, token)
            return local.fill(key, token, entry, ttlMillis, now)
          }
        }
      }),
      "local.fill is fenced by the token, and drops the lease",
      "a fill without a lease"
    ],
    [
      "keys are trimmed",
      ({ local }) => ({ local: { get: (key, now) => local.get(key.trim(), now) } }),
      "hostile keys and tags are kept apart without effects, too",
      'what get gives for " "'
    ],
    [
      "pick gives what bears a tag",
      ({ local, pick }) => ({
        pick: (key, stamp, now) => {
          const found = local.get(key, now)
          return found !== undefined && found.tags.length > 0 ? found.value : pick(key, stamp, now)
        }
      }),
      picks,
      "the pick of an entry with a tag"
    ],
    [
      "pick looks at no stamp",
      ({ local }) => ({
        pick: (key, _, now) => {
          const found = local.get(key, now)
          return found === undefined || found.tags.length > 0 ? absent : found.value
        }
      }),
      picks,
      "the pick of an entry of another stamp"
    ],
    [
      "pick gives what has expired",
      ({ pick }) => {
        const start = new Map<string, number>()
        return {
          pick: (key, stamp, now) => {
            start.set(key, Math.min(now, start.get(key) ?? now))
            return pick(key, stamp, start.get(key)!)
          }
        }
      },
      picks,
      "the pick of an entry past its TTL"
    ]
  ]
  for (const [what, wrong, caught, about] of wrongs) {
    it.effect(what, () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* failureOf(openLocalWith(wrong), caught)).about, about)
      })
    )
  }
})
