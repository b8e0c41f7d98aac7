/**
 * What people are told of cache failures that are not the caller's to see: each is counted, and at level Debug told whole. A
 * mistake of the program, or a loss that nobody else reports, is a warning too: one line a kind and region a minute
 * (`observe/warnings.ts`), without anything of a value or of a key.
 *
 * A store that fails is reported by its guard, once an outage; a wait that was too long goes to who waited.
 */
import { Effect, type Fiber, LogLevel, References } from "effect"
import { type CacheError, type CacheErrorReason, textOf } from "../CacheError.ts"
import { isInOwnWords } from "../internal/ownWords.ts"
import type { Counters } from "../observe/stats.ts"
import { type Warning, warn } from "../observe/warnings.ts"
import type { Region } from "../region/region.ts"
import { issueText } from "../schema/issue.ts"
import { NotCopied } from "./copy.ts"
import type { LoadContext } from "./land.ts"
import { manual } from "./given.ts"
import { Threw } from "./seal.ts"

export interface Reports {
  /** Counts a cache failure, and tells of it. */
  readonly record: (region: Region, error: CacheError) => Effect.Effect<void>
  /** The payload of an entry of this very schema is none of its values; the read is a miss, and counted as one. */
  readonly undecoded: (region: Region, cause: unknown) => Effect.Effect<void>
  /** An entry is stale as soon as it is stored. Said once. */
  readonly manyTags: LoadContext["manyTags"]
  /**
   * What is to be said, once, of a region that can hardly be meant: its template has another schema elsewhere in this client, or its
   * TTL is a number that looks like one of seconds.
   */
  readonly mistaken: (region: Region) => Effect.Effect<void> | undefined
}

/** In place of a fingerprint: there were two. */
const two = "two"

export const makeReports = (counters: Counters): Reports => ({
  record: (region, error) =>
    Effect.withFiber((fiber) => {
      const { reason } = error
      counters.of(region.name).error(error, fiber.context)
      const said = isDebug(fiber)
        ? Effect.logDebug("effect-cache: cache failure", { region: region.name, reason: error.message })
        : undefined
      const warning = warningOf(region, reason)
      if (warning === undefined) return said ?? Effect.void
      const told = tell(counters, region, fiber, reason._tag, warning)
      return said === undefined ? told : Effect.andThen(told, said)
    }),
  undecoded: (region, cause) =>
    Effect.withFiber((fiber) => {
      const told = tell(counters, region, fiber, "DecodeFailed", {
        kind: "DecodeFailed",
        text: () =>
          `a stored entry of ${named(region)} is not used, because it does not decode, though it was written under a ` +
          `schema of the same shape: ${problemOf(cause)}`
      })
      return isDebug(fiber)
        ? Effect.andThen(
            told,
            Effect.logDebug("effect-cache: an entry does not decode", {
              region: region.name,
              reason: textOf(cause, false)
            })
          )
        : told
    }),
  manyTags: (region) =>
    Effect.withFiber((fiber) =>
      tell(counters, region, fiber, "many tags", {
        kind: "many tags",
        once: true,
        text: () =>
          `an entry of ${named(region)} is stale as soon as it is stored, because it has more tags than memory keeps: give it ` +
          "fewer, or raise maxEntries and maxBytes of the layer"
      })
    ),
  mistaken: (region) => {
    const { codec, name } = region
    const of = counters.of(name)
    // Those beyond the most that are counted share one.
    if (of.region !== name) return undefined
    const once = (kind: string, text: string) =>
      Effect.withFiber<void>((fiber) => tell(counters, region, fiber, kind, { kind, once: true, text: () => text }))
    if (region.shortTtl && !of.short) {
      of.short = true
      const { ttl } = region
      const whose = name === manual ? "a ttl given to CacheClient.set" : `the ttl of ${named(region)}`
      return once(
        "short ttl",
        `${whose}, ${ttl}, is in milliseconds: write "${ttl} seconds", or "${ttl} millis" if those are meant`
      )
    }
    if (codec === undefined || name === manual || of.schema === region.fingerprint || of.schema === two)
      return undefined
    if (of.schema === undefined) {
      of.schema = region.fingerprint
      return undefined
    }
    of.schema = two
    return once(
      "two schemas",
      `${named(region)} is the key of regions with two schemas, and to each the entries of the other are a miss: ` +
        "give one of them another key or prefix"
    )
  }
})

const tell = (
  counters: Counters,
  region: Region,
  fiber: Fiber.Fiber<unknown, unknown>,
  reason: string,
  warning: Omit<Warning, "annotations">
) => warn(counters.of(region.name), fiber, { ...warning, annotations: { region: region.name, reason } })

/** Whether what is said at Debug is heard; to make it may cost as much as the failure. */
const isDebug = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  LogLevel.isLessThanOrEqualTo(fiber.getRef(References.MinimumLogLevel), "Debug")

const warningOf = (region: Region, reason: CacheErrorReason): Omit<Warning, "annotations"> | undefined => {
  switch (reason._tag) {
    case "EncodeFailed": {
      const { cause } = reason
      if (cause instanceof NotCopied) {
        return {
          kind: "not copied",
          once: true,
          text: () =>
            `a value of ${named(region)} is not cached, because isolation "clone" has no copy of it that is equal ` +
            `(${cause.message}); with a schema it has`
        }
      }
      return cause instanceof Threw
        ? {
            kind: `${cause.option} threw`,
            text: () => `a value of ${named(region)} is not cached, because ${problemOf(cause)}`
          }
        : {
            kind: "EncodeFailed",
            text: () => `a value of ${named(region)} is not cached, because it does not encode: ${problemOf(cause)}`
          }
    }
    case "InvalidOption":
      return {
        kind: `InvalidOption ${reason.option}`,
        text: () =>
          `${reason.option === "keys" || reason.option.startsWith("invalidate") ? `a write of ${named(region)} did not invalidate all that it lists` : `a value of ${named(region)} is not cached`}, ` +
          `because ${reason.option} is ${withoutText(reason.actual)}, expected ${reason.expected}`
      }
    case "InvalidKey":
      return {
        kind: "InvalidKey",
        text: () => {
          const { cause } = reason
          if (cause !== undefined) {
            return `a call of ${named(region)} is not cached, because its arguments make no key: ${reason.problem} ${nameOf(cause)}${more}`
          }
          const what = placeOf(region, reason.placeholder)
          return what === undefined
            ? `a key that a call of ${named(region)} needs cannot be used: ${reason.problem}`
            : `a call of ${named(region)} is not cached, because its arguments make no key: ${what} ${reason.problem}`
        }
      }
    case "NotReplicated":
      return {
        kind: "NotReplicated",
        text: () =>
          `${reason.acknowledged} of ${reason.replicas} replicas of ${reason.backend} had what was invalidated or written in ` +
          `${named(region)} after ${reason.millis} ms: a failover to another one would undo it`
      }
    default:
      return undefined
  }
}

/** The key template, on one line. */
const named = ({ name }: Region): string => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name)

/** Of the path to an argument, which may be through somebody's data, the first step. */
const placeOf = ({ key }: Region, placeholder: string | undefined): string | undefined => {
  if (placeholder === undefined) return undefined
  if (key.placeholders.includes(placeholder)) return `{${placeholder}}`
  const index = /^\d+/.exec(placeholder)?.[0]
  return index === undefined ? "an argument:" : `argument ${Number(index) + 1}:`
}

/** What was given instead of an option, without text: a function may have made that of a value. */
const withoutText = (actual: string): string =>
  actual.includes('"') ? (actual.startsWith("[") ? "an array of something else" : "a text") : actual

const problemOf = (cause: unknown): string => {
  if (cause instanceof Threw) return `its function ${cause.option} threw ${nameOf(cause.cause)}${more}`
  if (isInOwnWords(cause)) return cause.message
  return issueText(cause) ?? `its schema threw ${nameOf(cause)}${more}`
}

const more = " (level Debug says what)"

/** Of an error its class; its message may quote the value. */
const nameOf = (thrown: unknown): string => {
  try {
    if (!(thrown instanceof Error)) return thrown === null ? "null" : `a value of type ${typeof thrown}`
    const name: unknown = Object.getPrototypeOf(thrown)?.constructor?.name
    return typeof name === "string" && /^\w{1,60}$/.test(name) ? name : "an error"
  } catch {
    return "an error"
  }
}
