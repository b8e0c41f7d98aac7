/**
 * The backend on Maps with a mistake that is easy to make: `fill` is a plain write. It takes the lease for itself, so it
 * never finds that an invalidation has dropped it.
 */
import { Effect } from "effect"
import type { CachePrimitives } from "effect-cache"
import { openMapStore } from "./mapBackend.ts"

const withoutFence = ({ backend, ...rest }: CachePrimitives): CachePrimitives => ({
  ...rest,
  backend: {
    ...backend,
    fill: (key, token, write, onLost) =>
      Effect.andThen(backend.takeOver(key, token, 1_000, "refresh"), backend.fill(key, token, write, onLost))
  }
})

export const openUnfencedStore = Effect.map(openMapStore, (store) => ({
  ...store,
  connect: Effect.map(store.connect, withoutFence)
}))
