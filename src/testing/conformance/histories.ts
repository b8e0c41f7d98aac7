/**
 * The promise under random histories: readers, invalidators, writers, refreshers and interruptions on few keys, against
 * a table whose versions only grow. A read that starts after version v was acknowledged must return v or later.
 */
import { Effect, Fiber, Schema } from "effect"
import { cacheAside } from "../../patterns/cacheAside.ts"
import { invalidateKey, invalidateKeys, invalidatePattern } from "../../patterns/invalidation.ts"
import { stampedeProtect } from "../../patterns/stampedeProtect.ts"
import { invalidateTags } from "../../patterns/tags.ts"
import { writeThrough } from "../../patterns/writeThrough.ts"
import { type ConformanceStore, type Script, withLiveClock } from "./case.ts"
import { expect } from "./expect.ts"
import { leasesOf, type Process, startProcesses } from "./world.ts"

/** Gives whole numbers from 0 to `below` - 1. */
export type Generator = (below: number) => number

/** A generator of its own, so that a seed names a history. Exported for the longer histories in `test/`, as `runHistory` is. */
export const generator = (seed: number): Generator => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

export interface HistoryOptions {
  readonly clients: ReadonlyArray<Pick<Process, "run">>
  readonly seed: number
  readonly fibers: number
  readonly opsPerFiber: number
  readonly keys: number
  /** Some time, in which others run. */
  readonly pause: (random: Generator) => Effect.Effect<void>
  /** Loses a piece of bookkeeping of a key. */
  readonly evict?: ((id: number, random: Generator) => Effect.Effect<void>) | undefined
  /** Told at once of a read that was too old. */
  readonly onViolation?: (() => void) | undefined
}

export interface Outcome {
  readonly operations: number
  readonly reads: number
  readonly loads: number
  /** What was wrong, with the seed that shows it. */
  readonly violations: ReadonlyArray<string>
}

type Id = { readonly id: number }

/** Runs a history. It ends early when a read was too old. */
export const runHistory = (options: HistoryOptions): Effect.Effect<Outcome, unknown> =>
  Effect.gen(function*() {
    const { clients, pause, seed } = options
    const versions = new Array<number>(options.keys).fill(0)
    const acknowledged = new Array<number>(options.keys).fill(0)
    const violations: Array<string> = []
    let operations = 0
    let reads = 0
    let loads = 0
    const shared = generator(seed ^ 0x5bd1e995)
    const everyone = versions.map((_, id) => id)

    const load = ({ id }: Id) =>
      Effect.gen(function*() {
        loads++
        yield* pause(shared)
        const row = versions[id]!
        yield* pause(shared)
        return row
      })
    const region = { key: "row:{id}", schema: Schema.Number, ttl: "1 minute" } as const
    const tags = (_: number, { id }: { readonly id: unknown }) => [`row:${id}`, "all"]
    const readers = [
      cacheAside({ ...region, tags })(load),
      stampedeProtect({ ...region, tags, waitTimeout: "2 seconds" })(load),
      cacheAside({ ...region, tags: ["all"] })(load)
    ] as const
    // Each change is a commit and, some time later, an invalidation, which acknowledges what was committed before it.
    const commit = (id: number) => ++versions[id]!
    const write = writeThrough({ ...region, tags })(({ id }: Id) =>
      Effect.gen(function*() {
        yield* pause(shared)
        const row = commit(id)
        yield* pause(shared)
        return row
      })
    )
    const acknowledge = (rows: ReadonlyArray<readonly [id: number, row: number]>) => {
      for (const [id, row] of rows) acknowledged[id] = Math.max(acknowledged[id]!, row)
    }
    const check = (what: string, id: number, seen: number, row: number) => {
      reads++
      // `seen` was acknowledged before the read started.
      if (row >= seen) return
      violations.push(`seed ${seed}, operation ${operations}: ${what} of row ${id} gave ${row} after ${seen}`)
      options.onViolation?.()
    }

    const worker = (n: number) =>
      Effect.gen(function*() {
        const random = generator(seed * 1009 + n)
        for (let i = 0; i < options.opsPerFiber && violations.length === 0; i++) {
          operations++
          const client = clients[random(clients.length)]!
          const id = random(options.keys)
          const key = `row:${id}`
          const seen = acknowledged[id]!
          const reader = readers[random(readers.length)]!
          const kind = random(100)
          if (kind < 55) check("a read", id, seen, yield* client.run(reader({ id })))
          else if (kind < 60) check("a refresh", id, seen, yield* client.run(reader.refresh({ id })))
          else if (kind < 68) {
            const fiber = yield* Effect.forkChild(client.run(reader({ id })))
            yield* pause(random)
            yield* Fiber.interrupt(fiber)
          } else if (kind < 80) {
            const row = commit(id)
            yield* pause(random)
            yield* client.run(random(2) === 0 ? invalidateKey(key) : invalidateKeys([key, "row:none"]))
            acknowledge([[id, row]])
          } else if (kind < 86) {
            const row = commit(id)
            yield* pause(random)
            yield* client.run(invalidateTags([`row:${id}`]).pipe(Effect.andThen(invalidateTags(["all"]))))
            acknowledge([[id, row]])
          } else if (kind < 89) {
            const rows = everyone.map((id) => [id, commit(id)] as const)
            yield* client.run(invalidateTags(["all"]))
            acknowledge(rows)
          } else if (kind < 92) {
            const rows = everyone.map((id) => [id, commit(id)] as const)
            yield* pause(random)
            yield* client.run(invalidatePattern("row:*"))
            acknowledge(rows)
          } else if (kind < 99) {
            acknowledge([[id, yield* client.run(write({ id }))]])
          } else if (options.evict !== undefined) yield* options.evict(id, random)
          if (random(3) === 0) yield* pause(random)
        }
      })
    yield* Effect.forEach(
      Array.from({ length: options.fibers }, (_, n) => n),
      worker,
      { concurrency: "unbounded", discard: true }
    )
    return { operations, reads, loads, violations }
  })

const evictions =
  (evict: NonNullable<ConformanceStore["evict"]>): HistoryOptions["evict"] =>
  (id, random) =>
    [
      evict("entry", `row:${id}`),
      evict("lease", `row:${id}`),
      evict("marker", `row:${id}`),
      evict("marker", "all"),
      evict("epoch", "")
    ][random(5)]!

export const historyCases: ReadonlyArray<Script> = [1, 2, 3, 4].map((seed) => ({
  group: "histories",
  name: `random history, seed ${seed}`,
  body: (stage) =>
    Effect.gen(function*() {
      const { evict } = stage.store
      // Half of the histories have leases that end before the loads do.
      const settings = { lockTtl: seed % 2 === 0 ? "60 millis" : "5 seconds" } as const
      const clients = yield* startProcesses(stage, ["a", "b", "c"], settings)
      const { violations } = yield* runHistory({
        clients,
        seed,
        fibers: 10,
        opsPerFiber: 25,
        keys: seed,
        pause: (random) =>
          random(8) === 0
            ? Effect.sleep(random(3))
            : Effect.replicateEffect(Effect.yieldNow, random(4), { discard: true }),
        evict: evict === undefined ? undefined : evictions(evict),
        onViolation: () => stage.story.end()
      })
      expect("reads older than what was acknowledged before them", violations).is([])
      for (const client of clients) expect("the loads in flight in the end", yield* client.inFlight).is(0)
      expect("the leases held in the end", yield* leasesOf(clients[0]!)).is([])
    }).pipe(withLiveClock)
}))
