/**
 * A memory that keeps no entries. Leases, epoch and locks are those of a memory, and so is what they are for: loads are shared, a write
 * and an invalidation end what is in flight. A fill is accepted under the same fence, and its entry dropped; tags need no markers
 * where nothing bears them.
 */
import { Effect } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { makeMemoryPrimitivesWithState, type MemoryPrimitives } from "./primitives.ts"

/** The primitives over one that is new. */
export const makeNonePrimitives: Effect.Effect<MemoryPrimitives, CacheError> = Effect.map(
  makeMemoryPrimitivesWithState({ name: "none" }),
  ({ backend, locks, state, tags }) => {
    const fill = (key: string, token: string): boolean => state.end(key, token)
    return {
      locks,
      tags: { ...tags, ensure: () => Effect.void },
      backend: {
        ...backend,
        fast: undefined,
        local: { ...backend.local!, ensure: () => {}, fill },
        fill: (key, token, _write, onLost) =>
          // There is no entry to remove: only a write that was overtaken leaves something, its part of the lease.
          onLost === "unlink" ? backend.release(key, token, "unlink") : Effect.sync(() => fill(key, token))
      }
    }
  }
)
