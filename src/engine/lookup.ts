/**
 * How a store outside this process is asked for entries and markers: by its fast path, or by one that is made of `read` and
 * `markers`.
 */
import { type Context, Effect, type Exit, Fiber } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { Lookup, Lookups } from "../services/CacheBackend.ts"
import type { Primitives } from "../services/CachePrimitives.ts"

/** What breaks a question off, where it can be. */
export type Leave = Effect.Effect<void> | undefined

export interface Asking {
  /** Sends at once, and tells `done`, once. */
  readonly lookup: (
    key: string,
    tags: ReadonlyArray<string>,
    services: Context.Context<never>,
    done: (exit: Exit.Exit<Lookup, CacheError>) => void
  ) => Leave
  readonly lookupMany: (keys: ReadonlyArray<string>, tags: ReadonlyArray<string>) => Effect.Effect<Lookups, CacheError>
}

const noMarkers: ReadonlyArray<number | undefined> = []

export const askingOf = ({ backend, tags }: Primitives): Asking => {
  const { fast } = backend
  /** What is stored, and the markers: asked for in one tick. Whoever breaks it off leaves neither behind. */
  const both = <A>(stored: Effect.Effect<A, CacheError>, known: ReadonlyArray<string>) =>
    known.length === 0
      ? Effect.map(stored, (stored) => ({ stored, markers: noMarkers }))
      : Effect.map(Effect.all([stored, tags.markers(known)], { concurrency: "unbounded" }), ([stored, markers]) => ({
          stored,
          markers
        }))
  return {
    lookup:
      fast?.lookup === undefined
        ? (key, known, services, done) => {
            // Suspended, so that one that throws has told, too.
            const fiber = Effect.runForkWith(services)(Effect.suspend(() => both(backend.read(key), known)))
            fiber.addObserver(done)
            return Fiber.interrupt(fiber)
          }
        : (key, known, _, done) => {
            fast.lookup!(key, known, done)
            return undefined
          },
    lookupMany: (keys, known) =>
      fast?.lookupMany?.(keys, known) ??
      both(
        Effect.forEach(keys, (key) => backend.read(key), { concurrency: "unbounded" }),
        known
      )
  }
}
