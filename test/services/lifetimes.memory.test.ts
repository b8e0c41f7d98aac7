/**
 * How long an entry in this process lives when the clock jumps: as long as it was given, by the clock that says first that the
 * time has passed.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Option, Schema } from "effect"
import {
  cacheAside,
  CacheClient,
  type CacheError,
  CacheMemory,
  type CacheServices,
  memoize,
  writeThrough
} from "effect-cache"
import { type TwoHands, twoHands } from "../support/clocks.ts"
import { down, layer } from "../support/fallback.ts"

const ttl = 10_000
const hour = 3_600_000
const day = 24 * hour

type Step = Effect.Effect<unknown, CacheError, CacheServices>

/** A way to store a value, and one to see whether it is there. */
interface Way {
  readonly name: string
  readonly make: () => { readonly store: Step; readonly there: Effect.Effect<boolean, CacheError, CacheServices> }
}

const aside = (tags: ReadonlyArray<string>) => () => {
  const get = cacheAside({ key: "k", schema: Schema.Number, ttl, tags })(Effect.succeed(1))
  return { get, store: get, there: Effect.map(get.peek, Option.isSome) }
}

const ways: ReadonlyArray<Way> = [
  { name: "cacheAside", make: aside([]) },
  { name: "cacheAside with a tag", make: aside(["t"]) },
  {
    name: "cacheAside, seen by its hit",
    make: () => {
      let loads = 0
      const get = cacheAside({ key: "k", schema: Schema.Number, ttl })(Effect.sync(() => ++loads))
      return {
        store: get,
        there: Effect.suspend(() => {
          const before = loads
          return Effect.map(get, () => loads === before)
        })
      }
    }
  },
  {
    name: "a refresh",
    make: () => {
      const { get, there } = aside([])()
      return { store: get.refresh, there }
    }
  },
  {
    name: "writeThrough",
    make: () => {
      const put = writeThrough({ key: "k", schema: Schema.Number, ttl })(Effect.succeed(2))
      return { store: put, there: aside([])().there }
    }
  },
  {
    name: "memoize",
    make: () => {
      const fn = memoize({ name: "m", ttl })((n: number) => Effect.succeed({ n }))
      return { store: fn(1), there: Effect.map(fn.peek(1), Option.isSome) }
    }
  },
  {
    name: "CacheClient.set, seen by getMany",
    make: () => ({
      store: CacheClient.use((cache) => cache.set("k", 1, { schema: Schema.Number, ttl })),
      there: CacheClient.use((cache) =>
        Effect.map(cache.getMany(["k"], Schema.Number), ([found]) => Option.isSome(found!))
      )
    })
  }
]

const jumps: ReadonlyArray<{
  readonly name: string
  readonly before?: (clock: TwoHands) => void
  readonly after?: (clock: TwoHands) => void
  /** Whether the lifetime is over with the jump. */
  readonly ends?: boolean
}> = [
  { name: "no jump" },
  { name: "a wall clock that is put back", after: (clock) => (clock.wall -= hour) },
  {
    name: "a wall clock that was a day ahead and is put right",
    before: (clock) => (clock.wall += day),
    after: (clock) => (clock.wall -= day)
  },
  { name: "a wall clock that is put ahead", after: (clock) => (clock.wall += ttl), ends: true },
  { name: "a wall clock that stands still", after: (clock) => (clock.monotonic += ttl), ends: true },
  {
    name: "a wall clock that is put back, and then the machine sleeps",
    after: (clock) => {
      clock.wall -= hour
      clock.wall += hour + ttl
    },
    ends: true
  }
]

for (const { after, before, ends = false, name } of jumps) {
  describe(name, () => {
    const tried = (
      { store, there }: ReturnType<Way["make"]>,
      lifetime: number
    ): Effect.Effect<void, CacheError, CacheServices> =>
      Effect.gen(function*() {
        const clock = yield* twoHands
        yield* Effect.gen(function*() {
          // Time has been told before.
          yield* Effect.ignore(CacheClient.use((cache) => cache.get("other", Schema.Number)))
          clock.pass(500)
          before?.(clock)
          yield* store
          assert.isTrue(yield* there)
          after?.(clock)
          if (!ends) {
            clock.pass(lifetime - 1)
            assert.isTrue(yield* there)
            clock.pass(1)
          }
          assert.isFalse(yield* there)
        }).pipe(Effect.provideService(Clock.Clock, clock))
      })

    for (const way of ways) {
      it.effect(way.name, () => Effect.provide(tried(way.make(), ttl), CacheMemory.layer()))
    }

    it.effect("what CacheFallback keeps while the primary is away", () =>
      Effect.gen(function*() {
        let loads = 0
        const get = cacheAside({ key: "k", schema: Schema.Number, ttl: day })(Effect.sync(() => ++loads))
        yield* down
        const there = Effect.suspend(() => {
          const before = loads
          return Effect.map(get, () => loads === before)
        })
        yield* tried({ store: get, there }, 10_000)
      }).pipe(Effect.provide(layer()))
    )
  })
}
