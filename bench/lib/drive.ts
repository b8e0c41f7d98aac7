/**
 * Drives a cache with so many callers at a time, each waiting for its answer before it asks again.
 */
import { Effect } from "effect"

/** A read-through cache of items, in the way its users call it. Exactly one of `sync`, `get` and `effect` is there. */
export interface Reader {
  readonly sync?: (id: string) => unknown
  readonly get?: (id: string) => Promise<unknown>
  /** In a fiber; `run` gives it what it needs. */
  readonly effect?: (id: string) => Effect.Effect<unknown, unknown, any>
  readonly run?: <A>(effect: Effect.Effect<A, unknown, any>) => Promise<A>
  /** What was kept under these ids, in their order. All are there. */
  readonly getMany?: (ids: ReadonlyArray<string>) => Promise<ReadonlyArray<unknown>>
  readonly remove?: (id: string) => Promise<unknown>
  readonly invalidateTag?: (tag: string) => Promise<unknown>
  /** Every entry by the pattern of its key, or by whatever comes closest. */
  readonly invalidateAll?: () => Promise<unknown>
  readonly close?: () => Promise<unknown>
}

/** One read, whatever kind the reader is of. */
export const readOne = async (reader: Reader, id: string): Promise<any> =>
  reader.sync !== undefined
    ? reader.sync(id)
    : reader.get !== undefined
      ? reader.get(id)
      : reader.run!(reader.effect!(id))

/** The ids that `order` points at, over and over. */
export const inOrder = (ids: ReadonlyArray<string>, order: Uint32Array): ((i: number) => string) => {
  const mask = order.length - 1
  if ((order.length & mask) !== 0) throw new Error("the order's length must be a power of two")
  return (i) => ids[order[i & mask]!]!
}

/** Reads `count` ids, `width` callers at a time, each asking for its next as soon as it is answered. */
export const drive = (reader: Reader, idAt: (i: number) => string, width: number) => {
  let next = 0
  let end = 0
  // What was read goes here, so that no engine may leave a read out.
  let sink: unknown
  const { effect, get, run, sync } = reader

  const block = (): Promise<unknown> | undefined => {
    if (sync !== undefined) {
      while (next < end) sink = sync(idAt(next++))
      return undefined
    }
    if (get !== undefined) {
      const caller = async () => {
        while (next < end) sink = await get(idAt(next++))
      }
      return width === 1 ? caller() : Promise.all(Array.from({ length: width }, caller))
    }
    const caller = Effect.gen(function*() {
      while (next < end) sink = yield* effect!(idAt(next++))
    })
    return run!(
      width === 1
        ? caller
        : Effect.all(
            Array.from({ length: width }, () => caller),
            { concurrency: "unbounded", discard: true }
          )
    )
  }
  return async (count: number): Promise<unknown> => {
    end = next + count
    await block()
    // Blocks follow each other: the next one goes on where this one stopped.
    next = end
    return sink
  }
}

/** Milliseconds of each of `count` reads, one after the other. */
export const latencies = async (
  reader: Reader,
  idAt: (i: number) => string,
  count: number
): Promise<ReadonlyArray<number>> => {
  const millis: Array<number> = []
  let next = 0
  const { effect, get, run } = reader
  if (get !== undefined) {
    for (; next < count; next++) {
      const startedAt = performance.now()
      await get(idAt(next))
      millis.push(performance.now() - startedAt)
    }
  } else {
    await run!(
      Effect.gen(function*() {
        for (; next < count; next++) {
          const startedAt = performance.now()
          yield* effect!(idAt(next))
          millis.push(performance.now() - startedAt)
        }
      })
    )
  }
  return millis
}
