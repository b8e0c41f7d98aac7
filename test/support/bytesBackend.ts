/**
 * A store of bytes in this process that a test can write to as an attacker would: leases are those of memory, entries and
 * markers are what the test puts there.
 */
import { Effect, type Scope } from "effect"
import type { CacheError } from "../../src/CacheError.ts"
import { makeMemoryPrimitives } from "../../src/stores/memory/primitives.ts"
import { nodeCompressor } from "../../src/platform/nodeCompressor.ts"
import type { CachePrimitives } from "../../src/index.ts"

export interface BytesBackend {
  readonly primitives: CachePrimitives
  readonly entries: Map<string, Uint8Array>
  /** A tag without one has none: what bears it is stale. */
  readonly markers: Map<string, number>
}

/** The epoch of the store: it does not move, so what is loaded is born at it. */
export const epoch = 1_000_000

export const makeBytesBackend: Effect.Effect<BytesBackend, CacheError, Scope.Scope> = Effect.gen(function*() {
  const memory = yield* makeMemoryPrimitives({})
  const entries = new Map<string, Uint8Array>()
  const markers = new Map<string, number>()
  return {
    entries,
    markers,
    primitives: {
      locks: memory.locks,
      backend: {
        ...memory.backend,
        name: "bytes",
        format: "bytes",
        compressor: nodeCompressor({ threshold: 1024 }),
        deadlineMillis: 1_000,
        local: undefined,
        read: (key) => Effect.sync(() => entries.get(key)),
        fill: (key, token, { stored }, onLost) =>
          Effect.map(memory.backend.release(key, token, onLost === "unlink" ? "unlink" : "keep"), (held) => {
            if (!held && onLost === "empty") entries.delete(key)
            if (held && stored instanceof Uint8Array) entries.set(key, stored)
            return held
          })
      },
      tags: {
        epoch: Effect.succeed(epoch),
        markers: (tags) => Effect.sync(() => tags.map((tag) => markers.get(tag))),
        ensure: (tags) =>
          Effect.sync(() => {
            for (const tag of tags) if (!markers.has(tag)) markers.set(tag, epoch)
          }),
        invalidate: () => Effect.void
      }
    }
  }
})
