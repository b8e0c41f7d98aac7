/**
 * One function around every primitive of a store: what guards, records, delays or announces what is asked of it is such a
 * function, and a new primitive is added to it here.
 */
import type { Effect } from "effect"
import type { CacheError } from "../CacheError.ts"
import type { CacheBackend, FastPath, Intents } from "../services/CacheBackend.ts"
import type { Primitives } from "../services/CachePrimitives.ts"
import type { TagIndex } from "../services/TagIndex.ts"

/** What an operation is about: what is there; what a load or write stores; what is made invalid; who may store. */
export type Kind = "read" | "write" | "invalidation" | "lease"

type ArgsOf<S, K extends keyof S> = NonNullable<S[K]> extends (...args: infer Args) => unknown ? Args : readonly []

type CallOf<S, K extends keyof S & string, N extends Kind, P extends string = ""> = {
  readonly [O in K]: { readonly operation: `${P}${O}`; readonly kind: N; readonly args: Readonly<ArgsOf<S, O>> }
}[K]

type Backend = CacheBackend["Service"]
type Tags = TagIndex["Service"]

/** One call of a primitive, before it is carried out. */
export type Call =
  | CallOf<Backend, "read" | "usage", "read">
  | CallOf<Required<FastPath>, "lookupMany", "read">
  | CallOf<Required<FastPath>, "removeMatchingAny", "invalidation">
  | CallOf<Tags, "epoch" | "markers", "read">
  | CallOf<Backend, "fill" | "addTags", "write">
  | CallOf<Tags, "ensure", "write">
  | CallOf<Backend, "remove" | "removeMatching" | "clear", "invalidation">
  | CallOf<Tags, "invalidate", "invalidation">
  | CallOf<Backend, "acquire" | "takeOver" | "takeOverFrom" | "renew" | "release" | "awaitRelease", "lease">
  | CallOf<Intents, "put" | "renew" | "drop" | "settle" | "forget", "lease", "intents.">
  | CallOf<Intents, "ended" | "sweep", "read", "intents.">

export type Operation = Call["operation"]

/** It gets each call as an effect that carries it out, and gives back the effect to use in its place. */
export type Around = <A>(call: Call, self: Effect.Effect<A, CacheError>) => Effect.Effect<A, CacheError>

/**
 * The primitives, each with `f` around it. What answers without an effect passes `f` by, so it is left out: `local`, and of the
 * fast path `lookup` and `pick`. Whoever can stand around them too puts them back.
 */
export const around = ({ backend, tags }: Primitives, f: Around): Primitives => {
  const { fast } = backend
  return {
    backend: {
      name: backend.name,
      format: backend.format,
      isolation: backend.isolation,
      compressor: backend.compressor,
      deadlineMillis: backend.deadlineMillis,
      replicationMillis: backend.replicationMillis,
      local: undefined,
      fast: fast && fastAround(fast, f),
      read: (...args) => f({ operation: "read", kind: "read", args }, backend.read(...args)),
      acquire: (...args) => f({ operation: "acquire", kind: "lease", args }, backend.acquire(...args)),
      takeOver: (...args) => f({ operation: "takeOver", kind: "lease", args }, backend.takeOver(...args)),
      takeOverFrom: (...args) => f({ operation: "takeOverFrom", kind: "lease", args }, backend.takeOverFrom(...args)),
      renew: (...args) => f({ operation: "renew", kind: "lease", args }, backend.renew(...args)),
      fill: (...args) => f({ operation: "fill", kind: "write", args }, backend.fill(...args)),
      release: (...args) => f({ operation: "release", kind: "lease", args }, backend.release(...args)),
      remove: (...args) => f({ operation: "remove", kind: "invalidation", args }, backend.remove(...args)),
      removeMatching: (...args) =>
        f({ operation: "removeMatching", kind: "invalidation", args }, backend.removeMatching(...args)),
      addTags: (...args) => f({ operation: "addTags", kind: "write", args }, backend.addTags(...args)),
      awaitRelease: (...args) => f({ operation: "awaitRelease", kind: "lease", args }, backend.awaitRelease(...args)),
      intents: backend.intents && intentsAround(backend.intents, f),
      clear: f({ operation: "clear", kind: "invalidation", args: [] }, backend.clear),
      usage: f({ operation: "usage", kind: "read", args: [] }, backend.usage)
    } satisfies Backend,
    tags: {
      epoch: f({ operation: "epoch", kind: "read", args: [] }, tags.epoch),
      markers: (...args) => f({ operation: "markers", kind: "read", args }, tags.markers(...args)),
      ensure: (...args) => f({ operation: "ensure", kind: "write", args }, tags.ensure(...args)),
      invalidate: (...args) => f({ operation: "invalidate", kind: "invalidation", args }, tags.invalidate(...args))
    } satisfies Tags
  }
}

const fastAround = (fast: FastPath, f: Around): FastPath | undefined => {
  const { lookupMany, removeMatchingAny } = fast
  if (lookupMany === undefined && removeMatchingAny === undefined) return undefined
  return {
    ...(lookupMany && {
      lookupMany: (...args) => f({ operation: "lookupMany", kind: "read", args }, lookupMany(...args))
    }),
    ...(removeMatchingAny && {
      removeMatchingAny: (...args) =>
        f({ operation: "removeMatchingAny", kind: "invalidation", args }, removeMatchingAny(...args))
    })
  }
}

const intentsAround = (intents: Intents, f: Around): Intents => ({
  put: (...args) => f({ operation: "intents.put", kind: "lease", args }, intents.put(...args)),
  renew: (...args) => f({ operation: "intents.renew", kind: "lease", args }, intents.renew(...args)),
  drop: (...args) => f({ operation: "intents.drop", kind: "lease", args }, intents.drop(...args)),
  ended: (...args) => f({ operation: "intents.ended", kind: "read", args }, intents.ended(...args)),
  settle: (...args) => f({ operation: "intents.settle", kind: "lease", args }, intents.settle(...args)),
  sweep: (...args) => f({ operation: "intents.sweep", kind: "read", args }, intents.sweep(...args)),
  forget: (...args) => f({ operation: "intents.forget", kind: "lease", args }, intents.forget(...args))
})
