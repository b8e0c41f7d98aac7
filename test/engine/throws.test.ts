/**
 * Whatever is thrown between the start of a load and its landing leaves no flight, lease or waiter: the table of faults, each
 * at each place where it can strike.
 */
import { assert, it } from "@effect/vitest"
import {
  Clock,
  Effect,
  Fiber,
  Layer,
  Metric,
  Option,
  Random,
  References,
  Scheduler,
  Schema,
  type Scope,
  Tracer
} from "effect"
import { type CacheClient, cacheAside, memoize, stampedeProtect, writeThrough } from "../../src/index.ts"
import { holders } from "../../src/engine/work.ts"
import { assemble } from "../../src/layers/assemble.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { makeMemoryPrimitivesWithState } from "../../src/stores/memory/primitives.ts"
import { adminOf, buildClient, type Client, freshNamespace, scanKeys, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

interface World {
  readonly client: Client
  /** How many leases are held. */
  readonly leases: Effect.Effect<number>
}

/** What is thrown is logged, and nobody needs to read it. */
const quiet = (client: Client): Client => ({
  ...client,
  run: (effect) => client.run(Effect.provideService(effect, References.MinimumLogLevel, "None"))
})

const memory = (isolation: "reference" | "clone"): Effect.Effect<World, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const primitives = yield* makeMemoryPrimitivesWithState({ maxEntries: 10_000, isolation })
    const client = yield* buildClient(Layer.effectContext(assemble(primitives)))
    return { client: quiet(client), leases: Effect.sync(() => primitives.state.leases.size) }
  })

const redis: Effect.Effect<World, unknown, Scope.Scope> = Effect.gen(function*() {
  const running = yield* server
  const admin = yield* adminOf(running)
  const namespace = freshNamespace()
  const client = yield* buildClient(CacheRedis.layer({ url: running.url, namespace, timeout: "10 seconds" }))
  return {
    client: quiet(client),
    leases: Effect.promise(async () => (await scanKeys(admin, `${namespace}:l:*`)).length)
  }
})

const worlds = [
  ["memory", memory("reference")],
  ["memory with copies", memory("clone")],
  ["Redis", redis]
] as const

/** Throws at its `at`th use, and from there on if it `stays`. */
class Bomb {
  uses = 0
  struck = 0
  readonly at: number
  readonly stays: boolean
  constructor(at: number, stays: boolean) {
    this.at = at
    this.stays = stays
  }
  use(): void {
    const n = this.uses++
    if (n === this.at || (this.stays && n > this.at)) {
      this.struck++
      throw new Error("bomb")
    }
  }
  before<Args extends ReadonlyArray<never>, A>(f: (...args: Args) => A): (...args: Args) => A {
    return (...args) => {
      this.use()
      return f(...args)
    }
  }
}

type Plant = (bomb: Bomb) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** A clock of which one reading is a bomb. */
const clock =
  (name: "currentTimeMillisUnsafe" | "monotonicTimeNanosUnsafe" | "sleep"): Plant =>
  (bomb) =>
  (self) =>
    Effect.clockWith((around) =>
      Effect.provideService(self, Clock.Clock, {
        ...around,
        currentTimeMillisUnsafe: () => around.currentTimeMillisUnsafe(),
        currentTimeNanosUnsafe: () => around.currentTimeNanosUnsafe(),
        monotonicTimeNanosUnsafe: () => around.monotonicTimeNanosUnsafe(),
        currentTimeMillis: around.currentTimeMillis,
        currentTimeNanos: around.currentTimeNanos,
        monotonicTimeNanos: around.monotonicTimeNanos,
        sleep: (duration: never) => around.sleep(duration),
        [name]: (...args: Array<never>) => {
          bomb.use()
          return (around[name] as (...args: Array<never>) => never)(...args)
        }
      })
    )

const plants: Record<string, Plant> = {
  "wall clock": clock("currentTimeMillisUnsafe"),
  "monotonic clock": clock("monotonicTimeNanosUnsafe"),
  "clock that sleeps": clock("sleep"),
  random: (bomb) => (self) =>
    Effect.provideService(self, Random.Random, {
      nextIntUnsafe: bomb.before(() => 1),
      nextDoubleUnsafe: bomb.before(() => 0.5)
    }),
  tracer: (bomb) => (self) =>
    Effect.provideService(
      self,
      Tracer.Tracer,
      Tracer.make({
        span: (options) => {
          bomb.use()
          const span = new Tracer.NativeSpan(options)
          const end = span.end.bind(span)
          span.end = bomb.before(end)
          return span
        }
      })
    ),
  metrics: (bomb) => (self) => {
    const registry = new Map()
    const get = registry.get.bind(registry)
    registry.get = bomb.before(get)
    return Effect.provideService(self, Metric.MetricRegistry, registry)
  },
  "shouldYield of the scheduler": (bomb) => (self) => {
    class Broken extends Scheduler.MixedScheduler {
      override shouldYield(fiber: Fiber.Fiber<unknown, unknown>) {
        bomb.use()
        return super.shouldYield(fiber)
      }
    }
    return Effect.provideService(self, Scheduler.Scheduler, new Broken())
  },
  "scheduleTask of the scheduler": (bomb) => (self) => {
    class Broken extends Scheduler.MixedScheduler {
      override makeDispatcher() {
        const dispatcher = super.makeDispatcher()
        const schedule = dispatcher.scheduleTask.bind(dispatcher)
        dispatcher.scheduleTask = bomb.before(schedule)
        return dispatcher
      }
    }
    return Effect.provideService(self, Scheduler.Scheduler, new Broken())
  }
}

interface Id {
  readonly id: string
}

const region = { schema: Schema.Number, ttl: "1 minute", jitter: 0.1, tags: ["all"] } as const

let loads = 0
const loaders: Record<string, (_: Id) => Effect.Effect<number, string>> = {
  "at once": () => Effect.sync(() => ++loads),
  later: () =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => ++loads)
    ),
  "later and fails": () => Effect.andThen(Effect.yieldNow, Effect.fail("failed"))
}

type Load = (_: Id) => Effect.Effect<number, any, CacheClient>
const patterns: Record<string, (load: (_: Id) => Effect.Effect<number, string>) => Load> = {
  cacheAside: (load) => cacheAside({ ...region, key: "k:{id}" })(load),
  stampedeProtect: (load) => stampedeProtect({ ...region, key: "k:{id}" })(load),
  memoize: (load) => memoize({ name: "k", ttl: "1 minute", jitter: 0.1 })((_: Id) => load(_)),
  refresh: (load) => cacheAside({ ...region, key: "k:{id}" })(load).refresh,
  writeThrough: (load) => writeThrough({ ...region, key: "k:{id}" })(load)
}

let keys = 0

const get = (id: Id) => patterns["cacheAside"]!(loaders["at once"]!)(id)

/** What is left, and what goes wrong with the next calls: nothing, and the next call loads and stores. */
const wrongIn = ({ client, leases }: World, id: Id) =>
  Effect.gen(function*() {
    const left = Effect.gen(function*() {
      return { inFlight: yield* client.inFlight, leases: yield* leases, holders: holders.size }
    })
    let found = yield* left
    // What was sent may need a moment to be carried out.
    for (let i = 0; i < 100 && found.inFlight + found.leases + found.holders > 0; i++) {
      yield* Effect.sleep(i < 10 ? 1 : 20)
      found = yield* left
    }
    const wrong = found.inFlight + found.leases + found.holders > 0 ? [JSON.stringify(found)] : []
    const before = loads
    yield* Effect.replicateEffect(client.run(get(id)), 2)
    if (loads - before > 1) wrong.push("the next call is not stored")
    return wrong
  })

/** Every place in turn, until the call passes without the fault. Finds what is wrong behind each. */
const strike = Effect.fnUntraced(function*(world: World, pattern: string, plant: Plant, ways: ReadonlyArray<boolean>) {
  const wrong: Array<string> = []
  for (const [when, load] of Object.entries(loaders)) {
    for (const stays of ways) {
      for (let at = 0, struck = 1; struck > 0 && wrong.length < 3; at++) {
        const id = { id: String(keys++) }
        const bomb = new Bomb(at, stays)
        // The fiber of the call is its own: one that is broken breaks no other.
        const fiber = Effect.runFork(plant(bomb)(world.client.run(patterns[pattern]!(load)(id))))
        const told = yield* Effect.timeoutOption(Fiber.await(fiber), "5 seconds")
        const what = `loads ${when}, use ${at}${stays ? " and all after it" : ""}: `
        if (Option.isNone(told)) wrong.push(`${what}the caller is not told`)
        for (const problem of yield* wrongIn(world, id)) wrong.push(what + problem)
        struck = bomb.struck
      }
    }
  }
  return wrong
})

const throwsForEver = new Set(["shouldYield of the scheduler"])

for (const [where, open] of worlds) {
  for (const pattern of Object.keys(patterns)) {
    for (const [fault, plant] of Object.entries(plants)) {
      // Where a run loop does not go on, no finalizer of Effect is run; leases outside this process then end by themselves.
      if (throwsForEver.has(fault) && (where === "Redis" || pattern === "writeThrough")) continue
      it.live(`${where}, ${pattern}: a fault of the ${fault} leaves nothing`, () =>
        Effect.scoped(
          Effect.gen(function*() {
            const world = yield* open
            // Effect's run loop goes round for ever where `shouldYield` throws for ever.
            const ways = throwsForEver.has(fault) ? [false] : [true, false]
            assert.deepStrictEqual(yield* strike(world, pattern, plant, ways), [])
          })
        )
      )
    }
  }

  /** What programs give that throws, at each place where they may give it. */
  const boom = (): never => {
    throw new Error("boom")
  }
  const trap = {
    get value() {
      return boom()
    }
  }
  const given: Record<string, (id: Id) => Effect.Effect<unknown, any, any>> = {
    "a loader": cacheAside({ ...region, key: "k:{id}" })((_: Id) => boom()),
    "a write": writeThrough({ ...region, key: "k:{id}" })((_: Id) => boom()),
    "a refresh": cacheAside({ ...region, key: "k:{id}" })((_: Id) => boom()).refresh,
    ttl: cacheAside({ ...region, key: "k:{id}", ttl: boom })(loaders["later"]!),
    "ttl of a refresh": cacheAside({ ...region, key: "k:{id}", ttl: boom })(loaders["later"]!).refresh,
    "ttl of a write": writeThrough({ ...region, key: "k:{id}", ttl: boom })(loaders["later"]!),
    tags: cacheAside({ ...region, key: "k:{id}", tags: boom })(loaders["later"]!),
    "tags of a refresh": cacheAside({ ...region, key: "k:{id}", tags: boom })(loaders["later"]!).refresh,
    "a getter in a value": cacheAside({ ...region, key: "k:{id}", schema: Schema.Struct({ value: Schema.Number }) })(
      (_: Id) => Effect.succeed(trap)
    ),
    "a getter in a value that is refreshed": cacheAside({
      ...region,
      key: "k:{id}",
      schema: Schema.Struct({ value: Schema.Number })
    })((_: Id) => Effect.succeed(trap)).refresh,
    "a getter in a value that is written": writeThrough({
      ...region,
      key: "k:{id}",
      schema: Schema.Struct({ value: Schema.Number })
    })((_: Id) => Effect.succeed(trap)),
    "a getter in a value without a schema": memoize({ name: "trap" })((_: Id) => Effect.succeed(trap)),
    "a getter in the arguments": ({ id }) =>
      cacheAside({ ...region, key: "k:{id}" })(loaders["later"]!)({
        get id() {
          return id === "" ? id : boom()
        }
      }),
    "what a write lists": writeThrough(
      { ...region, key: "k:{id}" },
      { invalidateTags: boom, invalidateKeys: boom }
    )(loaders["later"]!)
  }
  for (const [what, call] of Object.entries(given)) {
    it.live(`${where}: ${what} that throws leaves nothing`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const world = yield* open
          for (let i = 0; i < 3; i++) {
            const id = { id: String(keys++) }
            yield* Effect.exit(world.client.run(call(id)))
            yield* Effect.exit(world.client.run(call(id)))
            assert.deepStrictEqual(yield* wrongIn(world, id), [])
          }
        })
      )
    )
  }

  it.live(`${where}: a run that is aborted at any moment leaves nothing`, () =>
    Effect.scoped(
      Effect.gen(function*() {
        const world = yield* open
        for (const pattern of Object.keys(patterns)) {
          for (let turns = 0; turns < 12; turns++) {
            const id = { id: String(keys++) }
            const abort = new AbortController()
            const hangs = patterns[pattern]!(() => Effect.andThen(Effect.yieldNow, Effect.never))(id)
            const run = Effect.runPromiseExit(world.client.run(hangs), { signal: abort.signal })
            for (let i = 0; i < turns; i++) yield* Effect.yieldNow
            abort.abort()
            yield* Effect.promise(() => run)
            assert.deepStrictEqual(yield* wrongIn(world, id), [], `${pattern}, after ${turns} turns`)
          }
        }
      })
    )
  )
}

/** Calls `f` where the stack has room for about so many calls of a small function. */
const withRoomFor = (calls: number, f: () => void): void => {
  let called = false
  const down = (): number => {
    let left: number
    try {
      left = down()
    } catch {
      return 1
    }
    if (left === calls && !called) {
      called = true
      try {
        f()
      } catch {
        // That of Effect itself, which had no room either.
      }
    }
    return left + 1
  }
  down()
}

for (const [when, depth, refreshed] of [
  ["a load", 0, false],
  ["loads in loads", 5, false],
  ["a refresh", 0, true]
] as const) {
  for (const later of [false, true]) {
    it.live(`memory: ${when} that begins on a stack that is nearly full, and ends ${later ? "later" : "at once"}`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { client, leases } = yield* memory("reference")
          const innermost = later ? Effect.as(Effect.yieldNow, 0) : Effect.sync(() => 0)
          for (let calls = 1; calls < 900; calls += calls < 20 ? 1 : 5) {
            const chain = cacheAside({ ...region, key: `chain:${calls}:{0}` })(
              (n: number): Effect.Effect<number, never, CacheClient> =>
                n === 0 ? innermost : Effect.map(chain(n - 1), (value) => value + 1)
            ) as ((n: number) => Effect.Effect<number, never, CacheClient>) & {
              readonly refresh: (n: number) => Effect.Effect<number, never, CacheClient>
            }
            const program = client.run(refreshed ? chain.refresh(depth) : chain(depth))
            withRoomFor(calls, () => Effect.runFork(program))
            for (let i = 0; i < 8; i++) yield* Effect.yieldNow
            const what = `room for ${calls} calls`
            assert.strictEqual(yield* client.inFlight, 0, what)
            assert.strictEqual(yield* leases, 0, what)
            assert.strictEqual(yield* client.run(chain(depth)), depth, what)
          }
        })
      )
    )
  }
}

const chainLength = 10_000
type Chain = (n: number) => Effect.Effect<number, never, CacheClient>
const wraps: Record<string, (load: Chain) => Chain> = {
  cacheAside: (load) => cacheAside({ schema: Schema.Number, key: "deep:{0}", ttl: "1 minute" })(load),
  memoize: (load) => memoize({ name: "deep", ttl: "1 minute" })(load)
}
for (const [name, wrap] of Object.entries(wraps)) {
  for (const later of [false, true]) {
    it.live(`memory: a chain of ${chainLength} ${name} ends, the innermost ${later ? "later" : "at once"}`, () =>
      Effect.scoped(
        Effect.gen(function*() {
          const primitives = yield* makeMemoryPrimitivesWithState({ maxEntries: 2 * chainLength })
          const client = yield* buildClient(Layer.effectContext(assemble(primitives)))
          const chain: (n: number) => Effect.Effect<number, never, CacheClient> = wrap(
            (n: number): Effect.Effect<number, never, CacheClient> =>
              n === 0
                ? Effect.as(later ? Effect.yieldNow : Effect.void, 0)
                : Effect.map(chain(n - 1), (value) => value + 1)
          )
          assert.strictEqual(
            yield* Effect.promise(() => Effect.runPromise(client.run(chain(chainLength)))),
            chainLength
          )
          assert.strictEqual(primitives.state.entries.size, chainLength + 1)
          assert.strictEqual(yield* client.inFlight, 0)
          assert.strictEqual(primitives.state.leases.size, 0)
        })
      )
    )
  }
}

it.live("memory: a run within a load, however deep that is nested, has ended when it returns", () =>
  Effect.scoped(
    Effect.gen(function*() {
      const { client } = yield* memory("reference")
      const inner = cacheAside({ ...region, key: "inner:{0}" })((_: number) => Effect.sync(() => 1))
      const chain: (n: number) => Effect.Effect<number, never, CacheClient> = cacheAside({
        ...region,
        key: "outer:{0}"
      })(
        (n: number): Effect.Effect<number, never, CacheClient> =>
          n === 0
            ? Effect.succeed(0)
            : Effect.map(chain(n - 1), (value) => value + Effect.runSync(client.run(inner(n))))
      )
      const down: (n: number) => Effect.Effect<number, never, CacheClient> = cacheAside({ ...region, key: "down:{0}" })(
        (n: number): Effect.Effect<number, never, CacheClient> =>
          n === 0 ? Effect.succeed(0) : Effect.sync(() => 1 + Effect.runSync(client.run(down(n - 1))))
      )
      assert.strictEqual(Effect.runSync(client.run(chain(200))), 200)
      assert.strictEqual(Effect.runSync(client.run(down(60))), 60)
    })
  )
)
