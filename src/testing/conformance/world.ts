/**
 * Processes on one store, and what a script needs to hold their loads open.
 */
import { Deferred, Effect, Layer, type Scope } from "effect"
import { CacheConfig, type CacheSettingsOptions } from "../../CacheConfig.ts"
import { CacheLayer } from "../../layers/CacheLayer.ts"
import type { CacheServices } from "../../layers/assemble.ts"
import { CacheClient } from "../../services/CacheClient.ts"
import { type ConformanceGroup, type Script, type Stage, withLiveClock } from "./case.ts"
import type { Recorded } from "./record.ts"
import type { Story } from "./story.ts"

/** A client of the store: a process of its own, as far as the cache can tell. */
export interface Process {
  readonly run: <A, E>(effect: Effect.Effect<A, E, CacheServices>) => Effect.Effect<A, E>
  /** Lets everything that is under way in this process go as far as it can without outside help. */
  readonly settle: Effect.Effect<void>
  /** Loads in flight. */
  readonly inFlight: Effect.Effect<number, unknown>
  readonly primitives: Recorded
}

/** Turns of the event loop without a call to the store, after which nothing more is to come. */
const quietTurns = 12

const settle = ({ pending }: Recorded): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let quiet = 0; quiet < quietTurns; quiet = pending() === 0 ? quiet + 1 : 0) yield* Effect.yieldNow
  })

const startProcess = (
  primitives: Recorded,
  settings: CacheSettingsOptions
): Effect.Effect<Process, unknown, Scope.Scope> => {
  const layer = Layer.provide(CacheLayer.make(Effect.succeed(primitives)), CacheConfig.layer(settings))
  return Effect.map(Layer.build(Layer.fresh(layer)), (context) => {
    const run: Process["run"] = (effect) => Effect.provideContext(effect, context)
    return {
      run,
      settle: settle(primitives),
      inFlight: run(
        Effect.map(
          CacheClient.use((client) => client.stats),
          ({ inFlight }) => inFlight
        )
      ),
      primitives
    }
  })
}

/** So many processes on the store; one, where its entries live in this process. */
export const startProcesses = (
  { connect }: Stage,
  names: ReadonlyArray<string>,
  settings: CacheSettingsOptions = {}
): Effect.Effect<ReadonlyArray<Process>, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const processes: Array<Process> = []
    for (const name of names) {
      const primitives = yield* connect(`${name}: `)
      processes.push(yield* startProcess(primitives, settings))
      if (primitives.backend.local !== undefined) break
    }
    return processes
  })

/** What the scripts run on: two processes on one store. */
export interface World {
  readonly story: Story
  readonly store: Stage["store"]
  /** The process whose loads are disturbed. */
  readonly a: Process
  /** The other one; `a` again where the entries live in this process. */
  readonly b: Process
  /** The keys of the scripts whose lease somebody holds. */
  readonly leases: Effect.Effect<ReadonlyArray<string>, unknown>
}

/** The keys of the scripts. */
const keys: ReadonlyArray<string> = ["row:0", "row:1", "row:2", "row:3", "other:1", "other:2"]

/** The contract offers no list of leases, so each is asked for, and given back when it was free. */
export const leasesOf = ({
  primitives: {
    bare: { backend }
  }
}: Process): World["leases"] =>
  Effect.filter(keys, (key) =>
    Effect.flatMap(backend.acquire(key, "probe", 10_000), (holder) =>
      holder === "probe" ? Effect.as(backend.release(key, "probe", "keep"), false) : Effect.succeed(true)
    )
  )

/** A case between two processes, in real time. */
export const worldCase = (
  group: ConformanceGroup,
  name: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>
): Script => ({
  group,
  name,
  body: (stage) =>
    withLiveClock(
      Effect.flatMap(startProcesses(stage, ["a", "b"]), (processes) => {
        const [a, b = a] = processes as readonly [Process, Process?]
        return body({ story: stage.story, store: stage.store, a, b, leases: leasesOf(a) })
      })
    )
})

/** A loader that stops in the middle: it has seen the row, and does not return it until it may. */
export interface Gate<A> {
  /** The row was seen. */
  readonly reached: Effect.Effect<A>
  readonly open: Effect.Effect<void>
  /** Sees `row`, says so, waits. */
  readonly pass: (row: A) => Effect.Effect<A>
}

export const makeGate = <A>(story: Story, who = "the load"): Gate<A> => {
  const reached = Deferred.makeUnsafe<A>()
  const gate = Deferred.makeUnsafe<void>()
  const note = (text: string) => Effect.sync(() => story.note(`${who} ${text}`))
  return {
    reached: Deferred.await(reached),
    open: Effect.andThen(note("goes on"), Deferred.succeed(gate, undefined)),
    pass: (row) =>
      note(`has ${String(row)}, and waits`).pipe(
        Effect.andThen(Deferred.succeed(reached, row)),
        Effect.andThen(Deferred.await(gate)),
        Effect.as(row)
      )
  }
}
