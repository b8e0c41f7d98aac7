/**
 * Primitives that write down in a story what is asked of them.
 */
import type { CachePrimitives } from "../../services/CachePrimitives.ts"
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import type { Stored } from "../../services/CacheBackend.ts"
import { Entry, type Story } from "./story.ts"

export interface Recorded extends CachePrimitives {
  /** The same, telling nothing. */
  readonly bare: CachePrimitives
  /** Calls that have not ended, without those that wait for a release. */
  readonly pending: () => number
}

/** `who` is put before each step, such as `"a: "`. */
export const record = (story: Story, who: string, bare: CachePrimitives): Recorded => {
  const { backend, locks, tags } = bare
  const { compressor, local } = backend
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

  const answered = <A>(operation: string, args: ReadonlyArray<unknown>, result: A, shown: unknown = result): A => {
    story.call(who, operation, args).end(Exit.succeed(shown))
    return result
  }

  return {
    bare,
    pending: () => pending,
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
              pick: local.pick && ((key, stamp, now) => answered("pick", [key, stamp], local.pick!(key, stamp, now))),
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
      read: (key) => ask("read", [key], backend.read(key), entry),
      lookup:
        backend.lookup &&
        ((key, list, done) => {
          const { end } = story.call(who, "lookup", [key, list])
          pending++
          backend.lookup!(key, list, (exit) => {
            pending--
            end(Exit.map(exit, ({ markers, stored }) => [entry(stored), markers]))
            done(exit)
          })
        }),
      lookupMany:
        backend.lookupMany &&
        ((keys, list) =>
          ask("lookupMany", [keys, list], backend.lookupMany!(keys, list), ({ markers, stored }) => [
            stored.map(entry),
            markers
          ])),
      acquire: (...args) => ask("acquire", args, backend.acquire(...args)),
      takeOver: (...args) => ask("takeOver", args, backend.takeOver(...args)),
      renew: (...args) => ask("renew", args, backend.renew(...args)),
      fill: (key, token, write, onLost) =>
        ask(
          "fill",
          [key, token, new Entry(write.stored, compressor, write.ttlMillis), onLost],
          backend.fill(key, token, write, onLost)
        ),
      release: (...args) => ask("release", args, backend.release(...args)),
      remove: (keys) => ask("remove", [keys], backend.remove(keys)),
      removeMatching: (pattern) => ask("removeMatching", [pattern], backend.removeMatching(pattern)),
      addTags: (...args) => ask("addTags", args, backend.addTags(...args)),
      awaitRelease: (...args) => call("awaitRelease", args, backend.awaitRelease(...args)),
      clear: ask("clear", [], backend.clear),
      usage: ask("usage", [], backend.usage)
    },
    tags: {
      epoch: ask("epoch", [], tags.epoch),
      markers: (list) => ask("markers", [list], tags.markers(list)),
      ensure: (...args) => ask("ensure", args, tags.ensure(...args)),
      invalidate: (list) => ask("invalidate", [list], tags.invalidate(list))
    },
    locks: {
      acquire: (...args) => ask("acquire", args, locks.acquire(...args)),
      extend: (...args) => ask("extend", args, locks.extend(...args)),
      release: (...args) => ask("release", args, locks.release(...args))
    }
  }
}
