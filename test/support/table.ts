import { Effect } from "effect"

/** A table of one row, for all ids, that counts its reads. */
export const table = () => {
  const state = { reads: 0, row: 0 }
  return {
    state,
    load: (_: { readonly id: string }) =>
      Effect.sync(() => {
        state.reads++
        return state.row
      })
  }
}
