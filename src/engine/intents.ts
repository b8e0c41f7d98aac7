/**
 * What a client does with intents: it puts down what its writes are going to invalidate, and carries out, in the background, what
 * writers that died have left. To carry one out is to invalidate, which undoes no newer value and may be done twice.
 */
import { Clock, type Context, Effect, Exit, Random, type Scope } from "effect"
import type { CacheError } from "../CacheError.ts"
import { inSteps, stepSize } from "../internal/inSteps.ts"
import { liveClock } from "../internal/processTime.ts"
import { bounded } from "../protocol/intent.ts"
import type { CacheBackend, EndedIntent, Intent, IntentPlace, TakenOver } from "../services/CacheBackend.ts"
import type { LoadContext } from "./land.ts"
import { normalEach } from "./many.ts"

interface Parts {
  readonly backend: CacheBackend["Service"]
  /** How often a client sweeps, one of all; `undefined`: this one never. */
  readonly sweepMillis: number | undefined
  readonly invalidateKeys: (keys: Iterable<string>) => Effect.Effect<void, CacheError>
  readonly invalidatePattern: (pattern: string) => Effect.Effect<void, CacheError>
  readonly invalidateTags: (tags: Iterable<string>) => Effect.Effect<void, CacheError>
}

/** The intent of one write. None of these fails, and a write goes on whatever they say. */
export interface WriteIntent {
  /**
   * Before the write, where no take-over does it. `false`: it is not put down, as far as is known. To be run where it cannot be
   * interrupted, or `drop` after it all the same.
   */
  readonly put: Effect.Effect<boolean>
  /** Whenever the lease is renewed. One that is gone is put down anew. `undefined`: it is seen to elsewhere. */
  readonly renew: Effect.Effect<void> | undefined
  /**
   * When all of it was carried out and acknowledged. Otherwise it is left to its end, and to others. It goes in the background, along
   * with others': if this process dies before, it is carried out once more.
   */
  readonly drop: Effect.Effect<void>
}

/** One with nobody else to renew it. */
export interface LeasedIntent extends WriteIntent {
  readonly renew: Effect.Effect<void>
  /** The one of the lease, where there is one. */
  readonly token: string
  /**
   * `put` by a take-over that is told what to put down, or after it where that has not. Where the store does not answer it is left to a
   * renewal: to ask it once more would be in the write's way.
   */
  readonly within: <A extends TakenOver>(
    takeOver: (intent: Intent) => Effect.Effect<A, CacheError>
  ) => Effect.Effect<A, CacheError>
}

export interface Intents {
  /**
   * The intent of the write that holds the lease of `key`, or of what has no lease, under a key that is its token. Keys must be
   * normal. `undefined`: nothing is to be put down, or the store keeps none. `note` is told once that it could not be.
   */
  readonly of: (
    key: string,
    token: string,
    intent: Intent,
    leaseMillis: number,
    note: (error: CacheError) => Effect.Effect<void>
  ) => LeasedIntent | undefined
  /** A fill has found that there are some beside its key: those that have ended are seen to in the background. */
  readonly intended: LoadContext["intended"]
}

/** Keys that are seen to at once because they were loaded; more are left to the sweep. */
const maxRunning = 64

/** What a sweep takes at once, and the intents of how many keys are carried out together. */
const perRound = 100
const keysAtOnce = 25

const commandsAtOnce = 4

/** So many are in memory and no further key is asked for: each may be 64 KiB, and there may be many beside a key. */
const maxTogether = 128

/** With more than so many rounds in a row others get their turn. */
const maxRounds = 100

/**
 * A sweep is the only one for `turn` of the interval, and what comes on top is at most `jitter` of it: so between two there is less
 * than the interval, also when the one that swept last has died.
 */
const turn = 0.75
const jitter = 0.2

const none: Intents = {
  of: () => undefined,
  intended: () => {}
}

/** A pause that keeps no process alive. */
const rest = (millis: number): Effect.Effect<void> =>
  Clock.clockWith((clock) =>
    clock !== liveClock
      ? Effect.sleep(millis)
      : Effect.callback<void>((resume) => {
          const timer = setTimeout(() => resume(Effect.void), millis)
          timer.unref?.()
          return Effect.sync(() => clearTimeout(timer))
        })
  )

/** What can never be carried out, because it is no key or no pattern, is done with. */
const ifPossible = (self: Effect.Effect<void, CacheError>): Effect.Effect<void, CacheError> =>
  Effect.catch(self, (error) => {
    const { _tag } = error.reason
    return _tag === "InvalidKey" || _tag === "InvalidOption" ? Effect.void : Effect.fail(error)
  })

export const makeIntents = ({
  backend,
  invalidateKeys,
  invalidatePattern,
  invalidateTags,
  sweepMillis
}: Parts): Effect.Effect<Intents, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { intents } = backend
    if (intents === undefined) return none
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const running = new Set<string>()

    /** What several say is carried out once: the writes of a process that died have much in common. */
    const carryOut = (all: ReadonlyArray<EndedIntent>): Effect.Effect<void, CacheError> =>
      Effect.gen(function*() {
        const each = (kind: keyof Intent) => new Set(all.flatMap(({ intent }) => intent[kind]))
        // Any text may be a tag: what is refused is an epoch at its end, and that may be mended.
        yield* invalidateTags(each("tags"))
        yield* invalidateKeys((yield* normalEach([...each("keys")])).good)
        for (const pattern of each("patterns")) yield* ifPossible(invalidatePattern(pattern))
      })

    /** All that have ended beside some keys. What fails ends it: the store is away, and a sweep finds them again. */
    const carryOutEnded = (keys: ReadonlyArray<string>): Effect.Effect<void, CacheError> =>
      Effect.gen(function*() {
        for (let settled = true; settled; ) {
          const ended: Array<EndedIntent> = []
          const ask = (key: string) => (ended.length < maxTogether ? endedOf(key) : Effect.succeed([]))
          yield* Effect.forEach(keys, (key) => Effect.map(ask(key), (found) => ended.push(...found)), {
            concurrency: commandsAtOnce,
            discard: true
          })
          if (ended.length > 0) yield* carryOut(ended)
          // After the acknowledgement, and only what it still says: its writer may have gone on.
          settled = (yield* Effect.forEach(ended, settle, { concurrency: commandsAtOnce })).includes(true)
        }
      })

    // Of one whose shard is away nothing is known; the others do not wait for it.
    const endedOf = (key: string) => Effect.orElseSucceed(intents.ended(key), (): ReadonlyArray<EndedIntent> => [])
    const settle = (ended: EndedIntent) => Effect.orElseSucceed(intents.settle(ended), () => false)

    /** One at a time for a key. What it fails with was told by who invalidates. */
    const seeTo = (keys: ReadonlyArray<string>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const mine = keys.filter((key) => !running.has(key))
        for (const key of mine) running.add(key)
        return Effect.ensuring(
          Effect.asVoid(Effect.exit(carryOutEnded(mine))),
          Effect.sync(() => {
            for (const key of mine) running.delete(key)
          })
        )
      })

    /** How long to wait for the next turn. A store that is away is asked again a turn later. */
    const sweep = (turnMillis: number): Effect.Effect<number> =>
      Effect.gen(function*() {
        for (let round = 0; round < maxRounds; round++) {
          const swept = yield* Effect.exit(intents.sweep(turnMillis, perRound))
          if (Exit.isFailure(swept)) return turnMillis
          const { found, waitMillis } = swept.value
          if (found.length > 0) {
            const keys = [...new Set(found.map(({ key }) => key))]
            const parts = Array.from({ length: Math.ceil(keys.length / keysAtOnce) }, (_, i) =>
              keys.slice(i * keysAtOnce, (i + 1) * keysAtOnce)
            )
            yield* Effect.forEach(parts, seeTo, { concurrency: "unbounded", discard: true })
            yield* Effect.exit(intents.forget(found))
          }
          if (waitMillis > 0) return Math.min(waitMillis, turnMillis)
          if (found.length === 0) return turnMillis
          yield* Effect.yieldNow
        }
        return 0
      })

    const sweepForever = (millis: number): Effect.Effect<never> =>
      Effect.gen(function*() {
        for (let wait = turn * millis; ; ) {
          yield* rest(wait + (yield* Random.next) * jitter * millis)
          wait = yield* sweep(turn * millis)
        }
      })

    if (sweepMillis !== undefined) yield* Effect.forkIn(sweepForever(sweepMillis), scope)

    let dropping: Array<IntentPlace> = []
    const dropAll: Effect.Effect<void> = Effect.suspend(() => {
      const all = dropping
      dropping = []
      return Effect.asVoid(inSteps(all, stepSize, (step) => Effect.exit(intents.drop(step))))
    })
    /** Those of a turn go together. A client that is being closed waits for them. */
    const dropSoon = (place: IntentPlace): Effect.Effect<void> =>
      Effect.suspend(() => {
        // A scope that is closed runs nothing: it ends by itself.
        if (scope.state._tag === "Closed" || dropping.push(place) > 1) return Effect.void
        const apart = Effect.updateContext(dropAll, (_: Context.Context<never>) => context)
        // The turn is the caller's: in a client that was built by `runSync` it would be that of a microtask.
        return Effect.asVoid(Effect.forkIn(Effect.andThen(Effect.yieldNow, apart), scope, { uninterruptible: true }))
      })

    const intended = (key: string): void => {
      // Of the client, not of the caller: nothing of his, such as a connection that he was lent, may be used behind his back.
      if (running.size >= maxRunning) return
      // It has begun when it is there, or those of one turn would not be counted.
      Effect.runForkWith(context)(Effect.forkIn(seeTo([key]), scope, { startImmediately: true }))
    }

    return {
      of: (key, token, wanted, leaseMillis, note) => {
        const intent = bounded(wanted)
        if (intent === undefined) return undefined
        let begun = false
        /** As far as is known. What is there under the token may be what it had put before. */
        let isDown = false
        let isDropped = false
        const begin = <A, E>(self: () => Effect.Effect<A, E>) =>
          Effect.suspend(() => {
            begun = true
            isDown = false
            return self()
          })
        const put = begin(() => Effect.map(intents.put(key, token, intent, leaseMillis), (there) => (isDown = there)))
        const orNote = (self: Effect.Effect<boolean, CacheError>): Effect.Effect<boolean> =>
          Effect.catch(self, (error) => Effect.as(note(error), false))
        const noted = orNote(put)
        const known = (intended: Effect.Effect<void, CacheError>) => orNote(Effect.map(intended, () => (isDown = true)))
        return {
          token,
          put: noted,
          within: (takeOver) =>
            begin(() => takeOver(intent)).pipe(
              Effect.tap(({ intended }) => (intended === undefined ? noted : known(intended))),
              // That was carried out, by a store that answers.
              Effect.tapError((error) => (error.reason._tag === "NotReplicated" ? noted : Effect.void))
            ),
          // One that has just been dropped is not put down anew by a renewal that was under way.
          renew: Effect.ignore(
            Effect.flatMap(
              Effect.suspend(() => (isDown ? intents.renew(key, token, leaseMillis) : Effect.succeed(false))),
              (there) => (there || isDropped ? Effect.void : put)
            )
          ),
          // Also of one that is not known to be there: what was not answered in time may have been carried out.
          drop: Effect.suspend(() => {
            isDropped = begun
            return begun ? dropSoon({ key, token }) : Effect.void
          })
        }
      },

      intended
    }
  })
