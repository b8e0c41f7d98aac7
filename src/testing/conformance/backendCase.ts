/**
 * What the cases of `CacheBackend` are made with.
 */
import { Effect, type Scope } from "effect"
import type { ConformanceStore, Script } from "./case.ts"
import type { Recorded } from "./record.ts"
import { valueOf } from "./values.ts"

export type Backend = Recorded["backend"]

export const read = (backend: Backend, key: string) => Effect.map(backend.read(key), (found) => valueOf(backend, found))

export const backendCase = (
  name: string,
  body: (backend: Backend, store: ConformanceStore) => Effect.Effect<void, unknown, Scope.Scope>
): Script => ({
  group: "CacheBackend",
  name,
  body: ({ connect, store }) => Effect.flatMap(connect(""), ({ backend }) => body(backend, store))
})
