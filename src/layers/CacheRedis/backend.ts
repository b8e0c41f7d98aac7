/**
 * `CacheBackend` on Redis.
 */
import { Effect, type Exit } from "effect"
import type { Compressor } from "../../CacheEntry.ts"
import { CacheError, InvalidKey, Unavailable } from "../../CacheError.ts"
import { encodeTag, MAX_TAG_BYTES } from "../../internal/entryLayout.ts"
import { type BackendUsage, CacheBackend, type Stored } from "../../services/CacheBackend.ts"
import * as Scripts from "./backendScripts.ts"
import { type Commands, millisOf, millisOrNever, type Names } from "./commands.ts"
import { isOne, numberOf } from "./connection.ts"
import type { Hints } from "./hints.ts"
import { removeScanned } from "./scan.ts"
import { run } from "./scripts.ts"

/** So many keys are removed in one flush; more of them take more flushes. */
const removeBatch = 10_000

const field = (info: unknown, name: string): number => {
  const found = new RegExp(`^${name}:(\\d+)`, "m").exec(String(info))
  return found === null ? 0 : Number(found[1])
}

export const makeBackend = (
  commands: Commands,
  names: Names,
  hints: Hints,
  options: {
    readonly compressor: Compressor | undefined
    /** Moves the epoch on. */
    readonly bump: Effect.Effect<unknown, CacheError>
  }
): CacheBackend["Service"] => {
  const { connection } = commands

  const refused = (operation: string, problem: string) =>
    Effect.fail(new CacheError({ reason: new Unavailable({ backend: "redis", operation, cause: new Error(problem) }) }))

  // ioredis takes bytes as a Buffer only. The view shares the memory.
  const bytesOf = (stored: Stored): Buffer | undefined =>
    stored instanceof Uint8Array ? Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength) : undefined

  const removeKeys = (keys: ReadonlyArray<string>): Effect.Effect<number, CacheError> =>
    Effect.map(
      commands.many(keys.length, (i, reply) => {
        const key = keys[i]!
        run(connection, "remove", Scripts.remove, [names.entry(key), names.lease(key)], reply)
      }),
      (replies) => replies.reduce<number>((sum, reply) => sum + numberOf(reply), 0)
    )

  return CacheBackend.of({
    name: "redis",
    format: "bytes",
    isolation: "clone",
    compressor: options.compressor,
    deadlineMillis: connection.timeoutMillis,
    local: undefined,

    read: (key) =>
      Effect.callback<Stored | undefined, CacheError>((resume) => {
        commands.get("read", names.entry(key), null, resume as (exit: Exit.Exit<unknown, CacheError>) => void)
      }),

    // The reply of `SET … NX GET` is the holder before: nil means granted, our own token that this was resent.
    acquire: (key, token, ttlMillis) =>
      commands.one("acquire", "set", [names.lease(key), token, "NX", "GET", "PX", millisOf(ttlMillis)], (holder) =>
        holder === null ? token : String(holder)
      ),

    takeOver: (key, token, ttlMillis, { unlink }) =>
      commands.script(
        "takeOver",
        Scripts.takeOver,
        [names.entry(key), names.lease(key), token, millisOf(ttlMillis), unlink ? "1" : "0"],
        () => undefined
      ),

    renew: (key, token, ttlMillis) =>
      commands.script("renew", Scripts.renew, [names.entry(key), names.lease(key), token, millisOf(ttlMillis)], isOne),

    fill: (key, token, { stored, ttlMillis }, onLost) => {
      const bytes = bytesOf(stored)
      if (bytes === undefined) return refused("fill", "the entry is not encoded")
      return commands.script(
        "fill",
        Scripts.fill,
        [
          names.entry(key),
          names.lease(key),
          token,
          bytes,
          millisOrNever(ttlMillis),
          onLost === "unlink" ? "1" : "0",
          names.channel(key)
        ],
        isOne
      )
    },

    release: (key, token, onLost) =>
      commands.script(
        "release",
        Scripts.release,
        [names.entry(key), names.lease(key), token, onLost === "unlink" ? "1" : "0", names.channel(key)],
        isOne
      ),

    remove: (keys) =>
      keys.length <= removeBatch
        ? removeKeys(keys)
        : Effect.gen(function*() {
            let removed = 0
            for (let i = 0; i < keys.length; i += removeBatch)
              removed += yield* removeKeys(keys.slice(i, i + removeBatch))
            return removed
          }),

    removeMatching: (pattern) => removeScanned.matching(commands, names, pattern),

    addTags: (key, tags) => {
      const encoded: Array<Buffer> = []
      for (const tag of tags) {
        const bytes = encodeTag(tag)
        if (bytes.length > MAX_TAG_BYTES) {
          return Effect.fail(
            new CacheError({
              reason: new InvalidKey({ key: tag.slice(0, 200), problem: `a tag of more than ${MAX_TAG_BYTES} bytes` })
            })
          )
        }
        encoded.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      }
      return Effect.flatMap(
        commands.script("addTags", Scripts.addTags, [names.entry(key), ...encoded], numberOf),
        (reply) => (reply === 2 ? refused("addTags", "the entry has too many tags") : Effect.succeed(reply === 1))
      )
    },

    awaitRelease: (key, token) =>
      hints.wait(names.channel(key), (gone) =>
        commands.get("awaitRelease", names.lease(key), "utf8", (found) => {
          // A failure says nothing about the lease.
          if (found._tag === "Success" && found.value !== token) gone()
        })
      ),

    // The epoch first: what is filled from now on with an older one is stale if it bears a tag, and what bears none is
    // found by the second pass, because a fill turns a lease into an entry behind the cursor's back. Locks are no entries.
    clear: Effect.suspend(() =>
      options.bump.pipe(
        Effect.andThen(removeScanned.all(commands, names)),
        Effect.andThen(removeScanned.all(commands, names))
      )
    ),

    usage: Effect.map(
      commands.many(3, (i, reply) => {
        if (i === 0) connection.command("usage", "dbsize", [], "utf8", reply)
        else connection.command("usage", "info", [i === 1 ? "memory" : "stats"], "utf8", reply)
      }),
      ([entries, memory, stats]): BackendUsage => ({
        scope: "server",
        entries: numberOf(entries),
        bytes: field(memory, "used_memory"),
        evictions: field(stats, "evicted_keys")
      })
    )
  })
}
