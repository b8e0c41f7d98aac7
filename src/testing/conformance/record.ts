/**
 * Primitives that write down in a story what is asked of them.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import type { Lookup, Lookups, Stored } from "../../services/CacheBackend.ts"
import type { CachePrimitives } from "../../services/CachePrimitives.ts"
import { around, type Call } from "../../stores/around.ts"
import { Entry, show, type Story } from "./story.ts"

export interface Recorded extends CachePrimitives {
  /** The same, telling nothing. */
  readonly bare: CachePrimitives
  /** Calls that have not ended, without those that wait for a release. */
  readonly pending: () => number
}

/** `who` is put before each step, such as `"a: "`. */
export const record = (story: Story, who: string, bare: CachePrimitives): Recorded => {
  const { locks } = bare
  const { compressor, local } = bare.backend
  let pending = 0

  const entry = (found: Stored | undefined): unknown => (found === undefined ? undefined : new Entry(found, compressor))

  // Nothing here suspends, so the primitive still sends its commands in the tick in which it is run.
  const call = <A>(
    operation: string,
    args: ReadonlyArray<unknown>,
    self: Effect.Effect<A, CacheError>,
    shown: (result: A) => unknown = (result) => result
  ): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      const { end } = story.call(who, operation, args)
      return Effect.onExit(self, (exit) => Effect.sync(() => end(Exit.map(exit, shown))))
    })

  const counted = <A>(self: Effect.Effect<A, CacheError>): Effect.Effect<A, CacheError> =>
    Effect.suspend(() => {
      pending++
      return Effect.onExit(self, () => Effect.sync(() => pending--))
    })

  const ask: typeof call = (...args) => counted(call(...args))

  const shownArgs = (of: Call): ReadonlyArray<unknown> => {
    if (of.operation !== "fill") return of.args
    const [key, token, { stored, ttlMillis }, onLost] = of.args
    return [key, token, new Entry(stored, compressor, ttlMillis), onLost]
  }

  const shownOf = ({ operation }: Call): ((result: unknown) => unknown) | undefined => {
    if (operation === "read") return (found) => entry(found as Stored | undefined)
    if (operation !== "lookupMany") return undefined
    return (found) => [(found as Lookups).stored.map(entry), (found as Lookups).markers]
  }

  const answered = <A>(operation: string, args: ReadonlyArray<unknown>, result: A, shown: unknown = result): A => {
    story.call(who, operation, args).end(Exit.succeed(shown))
    return result
  }

  const { backend, tags } = around(bare, (of, self) =>
    of.operation === "awaitRelease"
      ? call(of.operation, of.args, self)
      : ask(of.operation, shownArgs(of), self, shownOf(of))
  )
  const { fast } = bare.backend

  return {
    bare,
    pending: () => pending,
    tags,
    backend: {
      ...backend,
      local:
        local === undefined
          ? undefined
          : {
              get: (key, now) => {
                const found = local.get(key, now)
                return answered("get", [key], found, entry(found))
              },
              marker: (tag) => answered("marker", [tag], local.marker(tag)),
              holder: (key) => answered("holder", [key], local.holder(key)),
              epoch: () => answered("epoch", [], local.epoch()),
              acquire: (...args) => answered("acquire", args, local.acquire(...args)),
              ensure: (tags) => answered("ensure", [tags], local.ensure(tags)),
              fill: (key, token, stored, ttlMillis, now) =>
                answered(
                  "fill",
                  [key, token, new Entry(stored, compressor, ttlMillis), "keep"],
                  local.fill(key, token, stored, ttlMillis, now)
                ),
              release: (...args) => answered("release", args, local.release(...args))
            },
      fast: {
        ...backend.fast,
        pick: fast?.pick && ((key, stamp, now) => answered("pick", [key, stamp], fast.pick!(key, stamp, now))),
        lookup:
          fast?.lookup &&
          ((key, list, done) => {
            const { end } = story.call(who, "lookup", [key, list])
            let told = 0
            const ended = (exit: Exit.Exit<Lookup, CacheError>): void => {
              // Told again, it is a step of its own: a case looks for that.
              if (++told > 1) return story.note(`${who}lookup(${show(key)}) told again`)
              pending--
              end(Exit.map(exit, ({ markers, stored }) => [entry(stored), markers]))
            }
            pending++
            try {
              fast.lookup!(key, list, (exit) => {
                ended(exit)
                done(exit)
              })
            } catch (defect) {
              if (told === 0) ended(Exit.die(defect))
              throw defect
            }
          })
      }
    },
    locks: {
      acquire: (...args) => ask("acquire", args, locks.acquire(...args)),
      extend: (...args) => ask("extend", args, locks.extend(...args)),
      release: (...args) => ask("release", args, locks.release(...args))
    }
  }
}
