/**
 * The one error of the library: `CacheError`, with a tagged `reason`.
 *
 * Handle a single reason with `Effect.catchReason("CacheError", "Unavailable", ...)`, or all of them with
 * `Effect.catchTag("CacheError", ...)`. No reason ever holds a credential: connection settings are reduced to
 * `host:port` before they get here.
 */
import { Schema } from "effect"

/** More of a text nobody reads in a log. */
const maxText = 2_000

/**
 * Of what a function threw, which may be anything: an error whose text cannot be made, or is as long as a value, must not fail or flood
 * whoever reports it.
 */
export const textOf = (cause: unknown, message = true): string => {
  try {
    const text = String(message && cause instanceof Error ? cause.message : cause)
    return text.length > maxText ? `${text.slice(0, maxText)}... (${text.length} characters)` : text
  } catch {
    return "what cannot be shown"
  }
}

/**
 * A key, a key template, a tag or a pattern cannot be used. `placeholder` names the part at fault, when it is one; `cause` is what the
 * function of a key threw.
 */
export class InvalidKey extends Schema.TaggedError<InvalidKey>()("InvalidKey", {
  key: Schema.String,
  placeholder: Schema.optionalKey(Schema.String),
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    const { cause, key, placeholder, problem } = this
    const why = cause === undefined ? "" : `: ${textOf(cause)}`
    return placeholder === undefined
      ? `${JSON.stringify(key)}: ${problem}${why}`
      : `placeholder {${placeholder}} of ${JSON.stringify(key)}: ${problem}${why}`
  }
}

/** An option is out of range. `actual` is what was given, `expected` what would have been accepted. */
export class InvalidOption extends Schema.TaggedError<InvalidOption>()("InvalidOption", {
  option: Schema.String,
  actual: Schema.String,
  expected: Schema.String
}) {
  override get message(): string {
    return `${this.option} is ${this.actual}, expected ${this.expected}`
  }
}

/** The value does not fit the schema it is stored under. The cache is left without an entry. */
export class EncodeFailed extends Schema.TaggedError<EncodeFailed>()("EncodeFailed", {
  key: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `the value of ${JSON.stringify(this.key)} does not encode: ${textOf(this.cause, false)}`
  }
}

/** The backend did not answer in time. What was asked for may or may not have happened. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  backend: Schema.String,
  operation: Schema.String,
  millis: Schema.Finite
}) {
  override get message(): string {
    return `${this.operation} on ${this.backend} took longer than ${this.millis} ms`
  }
}

/** The backend cannot be reached, refused the operation, or is held off by an open circuit breaker. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", {
  backend: Schema.String,
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.operation} on ${this.backend} failed: ${textOf(this.cause)}`
  }
}

/**
 * The backend has no room for what this would store, and refused it: Redis at its `maxmemory`, with a policy that finds nothing to
 * evict. It is not away: reads and invalidations go on, and what is loaded meanwhile is handed out and not stored.
 */
export class NoRoom extends Schema.TaggedError<NoRoom>()("NoRoom", {
  backend: Schema.String,
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.operation} on ${this.backend} was refused for want of room: ${textOf(this.cause)}`
  }
}

/**
 * With `durability`: the primary carried it out, and the cache goes by it, but too few replicas had it in time. A failover to
 * a replica without it would undo it. Doing it again is safe.
 */
export class NotReplicated extends Schema.TaggedError<NotReplicated>()("NotReplicated", {
  backend: Schema.String,
  /** How many were asked for. */
  replicas: Schema.Finite,
  /** How many had it. */
  acknowledged: Schema.Finite,
  millis: Schema.Finite
}) {
  override get message(): string {
    return `${this.acknowledged} of ${this.replicas} replicas of ${this.backend} had it after ${this.millis} ms`
  }
}

/** Somebody else computes the value, or holds the lock, for longer than the caller was willing to wait. */
export class WaitTimeout extends Schema.TaggedError<WaitTimeout>()("WaitTimeout", {
  name: Schema.String,
  millis: Schema.Finite
}) {
  override get message(): string {
    return `${JSON.stringify(this.name)} was still held after ${this.millis} ms`
  }
}

/** The lock expired or was taken over while its holder worked; the body was interrupted. */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", {
  name: Schema.String
}) {
  override get message(): string {
    return `the lock ${JSON.stringify(this.name)} was lost`
  }
}

/** Why a cache operation failed. */
export type CacheErrorReason =
  | InvalidKey
  | InvalidOption
  | EncodeFailed
  | TimedOut
  | Unavailable
  | NoRoom
  | NotReplicated
  | WaitTimeout
  | LockLost

/**
 * A cache operation failed, for the given `reason`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CacheMemory, invalidateKey } from "effect-cache"
 *
 * const program = invalidateKey("user:1").pipe(
 *   Effect.as("dropped"),
 *   Effect.catchReason("CacheError", "Unavailable", (reason) => Effect.succeed(`not dropped: ${reason.message}`)),
 *   Effect.provide(CacheMemory.layer())
 * )
 * assert.equal(await Effect.runPromise(program), "dropped")
 * ```
 */
export class CacheError extends Schema.TaggedError<CacheError>()("CacheError", {
  reason: Schema.Union([
    InvalidKey,
    InvalidOption,
    EncodeFailed,
    TimedOut,
    Unavailable,
    NoRoom,
    NotReplicated,
    WaitTimeout,
    LockLost
  ])
}) {
  override get message(): string {
    return `${this.reason._tag}: ${this.reason.message}`
  }
}
