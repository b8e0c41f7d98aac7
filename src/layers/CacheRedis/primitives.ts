/**
 * The primitives of the Redis layer over one connection, closed with the scope.
 */
import { Effect, type Scope } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { nodeCompressor } from "../../internal/nodeCompressor.ts"
import type { CacheBackend } from "../../services/CacheBackend.ts"
import type { LockStore } from "../../services/LockManager.ts"
import type { TagIndex } from "../../services/TagIndex.ts"
import { makeBackend } from "./backend.ts"
import { Commands, makeNames } from "./commands.ts"
import { Connection } from "./connection.ts"
import { Hints } from "./hints.ts"
import { makeLockStore } from "./lockStore.ts"
import { type RedisOptions, resolve } from "./options.ts"
import { makeTagIndex } from "./tagIndex.ts"

export interface RedisPrimitives {
  readonly backend: CacheBackend["Service"]
  readonly tags: TagIndex["Service"]
  readonly locks: LockStore
}

/**
 * Opens a connection and gives the primitives over it. Fails only for options that cannot be used (`InvalidOption`): with
 * Redis out of reach the primitives are there, and fail with `Unavailable` until it is back.
 */
export const makeRedisPrimitives = (
  options: RedisOptions = {}
): Effect.Effect<RedisPrimitives, CacheError, Scope.Scope> =>
  Effect.gen(function*() {
    const resolved = yield* resolve(options)
    const context = yield* Effect.context<never>()
    const { commands, hints } = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const connection = new Connection(resolved, context)
        return { commands: new Commands(connection), hints: new Hints(connection) }
      }),
      ({ commands, hints }) => Effect.promise(() => Promise.all([hints.close(), commands.connection.close()]))
    )
    const names = makeNames(resolved.namespace)
    const { bump, service: tags } = makeTagIndex(commands, names)
    const threshold = resolved.compressionThreshold
    return {
      backend: makeBackend(commands, names, hints, {
        compressor: threshold === false ? undefined : nodeCompressor({ threshold }),
        bump
      }),
      tags,
      locks: makeLockStore(commands, names)
    }
  })
