/**
 * A case of the kit: what it is given, how it runs, and what it tells when it fails.
 */
import { Cause, Clock, Data, Effect, Exit, type Scope } from "effect"
import type { CachePrimitives } from "../../services/CachePrimitives.ts"
import { Unmet } from "./expect.ts"
import { record, type Recorded } from "./record.ts"
import { Story } from "./story.ts"

/** A store under test, new and empty. */
export interface ConformanceStore {
  /**
   * The primitives of one more process on this store: a connection of its own, where there are connections. It is run
   * up to three times; once, when `local` says that the entries live in this process.
   */
  readonly connect: Effect.Effect<CachePrimitives, unknown, Scope.Scope>
  /**
   * Lets the store's own time pass, by 50 to 200 milliseconds: `Effect.sleep` for a server, `TestClock.adjust` for a
   * store whose time is Effect's clock, in a test that has a test clock.
   */
  readonly advance: (millis: number) => Effect.Effect<void>
  /**
   * Loses a piece of bookkeeping, as an eviction would, whether it is there or not. `name` is the key, or the tag of a
   * marker; empty for the epoch. Without it the cases of the group `"evictions"` fail.
   */
  readonly evict?: ((kind: "entry" | "lease" | "marker" | "epoch", name: string) => Effect.Effect<void>) | undefined
}

/**
 * What a case is about: a service (`CacheBackend`, `TagIndex`, `LockStore`); the `fastPath` of a backend, and its `local`, where
 * it has them; its `hints` that a lease has ended; the `intents` of writes, where it keeps them; `evictions` of bookkeeping; the rules of the `protocol` between processes, with loads held open by the script; who
 * shares a load (`sharing`); random `histories`.
 */
export type ConformanceGroup =
  | "CacheBackend"
  | "TagIndex"
  | "LockStore"
  | "fastPath"
  | "hints"
  | "intents"
  | "evictions"
  | "protocol"
  | "sharing"
  | "histories"

/** One case of the kit: an effect for a test runner of your choice. */
export interface ConformanceCase {
  readonly group: ConformanceGroup
  readonly name: string
  /** Opens a store, tries it, closes it. It ends within 20 seconds, whatever the store does. */
  readonly run: Effect.Effect<void, ConformanceFailure>
}

/** A case that failed. Its `message` is the story. */
export class ConformanceFailure extends Data.TaggedError("ConformanceFailure")<{
  readonly group: ConformanceGroup
  readonly name: string
  /** What was done, step by step, in the order in which it began. Only the last steps of a long case. */
  readonly steps: ReadonlyArray<string>
  /** What was looked at. */
  readonly about: string
  readonly expected: string
  readonly actual: string
}> {
  override get message(): string {
    return [
      `${this.group}: ${this.name}`,
      "",
      ...this.steps.map((step) => `  ${step}`),
      "",
      `  ${this.about}`,
      `    expected  ${this.expected}`,
      `    came      ${this.actual}`
    ].join("\n")
  }
}

/** What a case has at hand. */
export interface Stage {
  readonly story: Story
  readonly store: ConformanceStore
  /** The primitives of one more process, which tell the story what they are asked. */
  readonly connect: (who: string) => Effect.Effect<Recorded, unknown, Scope.Scope>
  /** The same on another store. */
  readonly connectElsewhere: (who: string) => Effect.Effect<Recorded, unknown, Scope.Scope>
}

/** A case before it is given a store. */
export interface Script {
  readonly group: ConformanceGroup
  readonly name: string
  readonly body: (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>
}

/** What loses bookkeeping in this store. */
export const evictOf = ({ evict }: ConformanceStore): NonNullable<ConformanceStore["evict"]> => {
  if (evict === undefined) throw new Unmet("evict of the store", "a function, or the group left out", "nothing")
  return evict
}

const caseLimitMillis = 20_000

const liveClock = Clock.Clock.defaultValue()

/** With real time, also in a test with a test clock. */
export const withLiveClock = Effect.provideService(Clock.Clock, liveClock)

// Under a test clock a case that hangs would never end, and tell no story.
const outOfTime = (millis: number) =>
  withLiveClock(Effect.sleep(millis)).pipe(
    Effect.andThen(Effect.die(new Unmet("the case", `an end within ${millis / 1000} seconds`, "none")))
  )

const unmetOf = (cause: Cause.Cause<unknown>): Unmet => {
  for (const reason of cause.reasons) {
    if (Cause.isDieReason(reason) && reason.defect instanceof Unmet) return reason.defect
  }
  return new Unmet("the case", "an end without an error", Cause.pretty(cause))
}

export const toCase = (
  open: Effect.Effect<ConformanceStore, unknown, Scope.Scope>,
  { body, group, name }: Script,
  limitMillis: number = caseLimitMillis
): ConformanceCase => ({
  group,
  name,
  run: Effect.suspend(() => {
    const story = new Story()
    const connectTo = (who: string, store: ConformanceStore) =>
      Effect.map(store.connect, (primitives) => record(story, who, primitives))
    const work = Effect.flatMap(open, (store) =>
      Effect.onError(
        body({
          story,
          store,
          connect: (who) => connectTo(who, store),
          connectElsewhere: (who) => Effect.flatMap(open, (other) => connectTo(who, other))
        }),
        () => Effect.sync(() => story.end())
      )
    )
    return Effect.flatMap(Effect.exit(Effect.raceFirst(Effect.scoped(work), outOfTime(limitMillis))), (exit) => {
      if (Exit.isSuccess(exit)) return Effect.void
      // Interrupted from outside: the runner gave up.
      if (Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
      const { about, actual, expected } = unmetOf(exit.cause)
      return Effect.fail(new ConformanceFailure({ group, name, steps: story.steps(), about, expected, actual }))
    })
  })
})
