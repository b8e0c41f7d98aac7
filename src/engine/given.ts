/**
 * What is asked of a client by hand: a key and the schema of its value, or a region and the parameters of its key.
 */
import type { Duration } from "effect"
import { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import { normalizeKey } from "../CacheKey.ts"
import type { AnyCodec } from "../internal/erased.ts"
import { inSteps, stepSize } from "../internal/inSteps.ts"
import { knownOptions, type Names } from "../internal/knownOptions.ts"
import { invalidOption } from "../internal/invalidOption.ts"
import { checked, positiveMillis, strings } from "../region/checks.ts"
import { checkOptions, isShort, makeUnsafe, type Options, type Region, resolveUnsafe } from "../region/region.ts"
import { codecOf } from "../schema/codec.ts"
import { normalKeys } from "./many.ts"

/** The label of what is asked for by a key, which belongs to no region. */
export const manual = "(client)"

export const anonymous: Region = { ...makeUnsafe({ key: "client", schema: undefined }), name: manual }

interface SetWith {
  readonly schema: AnyCodec
  readonly ttl?: Duration.Input | undefined
  readonly tags?: ReadonlyArray<string> | undefined
}

const setNames: Names<SetWith> = { schema: 0, ttl: 0, tags: 0 }

/** A region for a key that belongs to none. */
const regionOf = ({ schema, tags, ttl }: SetWith): Region => {
  const codec = codecOf(schema)
  return {
    ...anonymous,
    codec: codec as Region["codec"],
    fingerprint: codec.fingerprint,
    stamp: 0,
    shortTtl: isShort(ttl),
    ttl: ttl === undefined ? undefined : positiveMillis("ttl", ttl),
    staticTags: tags === undefined ? [] : [...new Set(strings("tags", tags))]
  }
}

/** A region, or options made of one (`{ ...Users, ttl }`). */
const isRegion = (of: unknown): of is Options =>
  typeof of === "object" && of !== null && (of as { readonly _tag?: unknown })._tag === "CacheRegion"

const regionUnsafe = (options: Options): Region => {
  // What is made of a region by spreading it has its `_tag`, and was not looked at yet.
  if (!("keyFor" in options)) checkOptions(options)
  const region = resolveUnsafe(options)
  // What has no schema is of one process, and was never meant to be set or read by hand.
  if (region.codec === undefined) throw invalidOption("schema", options.schema, "a schema")
  return region
}

/** What fills the template of a region: nothing is nothing of it, as for a cached function that is called without an argument. */
type Params = Readonly<Record<string, unknown>> | ReadonlyArray<unknown>
const keyUnsafe = (region: Region, params: unknown): string => region.key.buildUnsafe((params ?? {}) as Params)

interface Given {
  readonly key: string
  readonly region: Region
}

/** Of `get`. */
export const given = (of: unknown, by: unknown): Effect.Effect<Given, CacheError> =>
  checked(() => {
    if (!isRegion(of)) return { key: normalizeKey(of as string), region: regionOf({ schema: by as AnyCodec }) }
    const region = regionUnsafe(of)
    return { key: keyUnsafe(region, by), region }
  })

/** Of `getMany`, a step at a time. */
export const givenMany = (
  of: unknown,
  by: unknown
): Effect.Effect<{ readonly keys: ReadonlyArray<string>; readonly region: Region }, CacheError> =>
  isRegion(of)
    ? Effect.flatMap(
        checked(() => [regionUnsafe(of), listUnsafe(by)] as const),
        ([region, list]) =>
          Effect.map(
            inSteps(list, stepSize, (step) => checked(() => step.map((params) => keyUnsafe(region, params)))),
            (steps) => ({ keys: steps.length === 1 ? steps[0]! : steps.flat(), region })
          )
      )
    : Effect.flatMap(
        checked(() => regionOf({ schema: by as AnyCodec })),
        (region) => Effect.map(normalKeys(of as Iterable<string>), (keys) => ({ keys, region }))
      )

const listUnsafe = (by: unknown): ReadonlyArray<unknown> => {
  if (typeof by !== "object" || by === null || !(Symbol.iterator in by)) {
    throw invalidOption("params", by, "an array of the parameters of each key")
  }
  return Array.from(by as Iterable<unknown>)
}

interface GivenValue extends Given {
  readonly value: unknown
  /** As the functions of the region see them. */
  readonly params: unknown
}

/** Of `set`. */
export const givenValue = (of: unknown, second: unknown, third: unknown): Effect.Effect<GivenValue, CacheError> =>
  checked(() => {
    if (!isRegion(of)) {
      knownOptions(third, setNames)
      return { key: normalizeKey(of as string), region: regionOf(third as SetWith), value: second, params: undefined }
    }
    const region = regionUnsafe(of)
    return { key: keyUnsafe(region, second), region, value: third, params: second ?? {} }
  })
