/**
 * Filled caches, checked before they are measured. Kept by their settings: groups of a workload share them.
 */
import { type Reader, readOne } from "./drive.ts"
import { idsOf, type Loader, loader } from "./items.ts"
import { makeReader } from "./subject.ts"

export interface Wanted {
  readonly store: "memory" | "redis"
  readonly subject: string
  readonly keys: number
  readonly bytes: number
  readonly tags: number
  readonly url: string
}

export interface Filled {
  readonly reader: Reader
  readonly ids: ReadonlyArray<string>
  readonly loader: Loader
}

const kept = new Map<string, Promise<Filled>>()

export const tagsOf = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `tag${i}`)

/** Letters and digits only: some subjects use it as the name of a function. */
export const prefixOf = (name: string): string => name.replace(/[^a-z0-9]/gi, "")

/** Some callers at a time, so that filling a far store takes no time. */
export const each = async (ids: ReadonlyArray<string>, run: (id: string) => Promise<unknown>, width = 64) => {
  let next = 0
  const caller = async () => {
    while (next < ids.length) await run(ids[next++]!)
  }
  await Promise.all(Array.from({ length: width }, caller))
}

const sameItem = (value: any, expected: any): boolean => JSON.stringify(value) === JSON.stringify(expected)

/** Fails the run, naming the subject, unless every read is a hit with the right value. */
export const checkHits = async (subject: string, { ids, loader, reader }: Filled): Promise<void> => {
  const loads = loader.loads
  const some = ids.length <= 50 ? ids : Array.from({ length: 50 }, (_, i) => ids[Math.floor((i * ids.length) / 50)]!)
  const values = await Promise.all(some.map((id) => readOne(reader, id)))
  if (loader.loads !== loads) throw new Error(`${subject} loads what it should have kept`)
  const expected = some.map((id) => loader.load(id))
  loader.loads = loads
  values.forEach((value, i) => {
    if (!sameItem(value, expected[i])) {
      throw new Error(`${subject} gives ${JSON.stringify(value)?.slice(0, 200)} for item ${some[i]}`)
    }
  })
}

const fill = async ({ bytes, keys, store, subject, tags, url }: Wanted): Promise<Filled> => {
  const made = loader(bytes)
  const ids = idsOf(keys)
  const prefix = prefixOf(`${subject} ${bytes} ${tags} ${keys}`)
  const reader = await makeReader(store, subject, {
    entries: keys,
    loader: made,
    prefix,
    tags: tagsOf(tags),
    url
  })
  const filled = { reader, ids, loader: made }
  await each(ids, (id) => readOne(reader, id))
  await checkHits(subject, filled)
  return filled
}

export const filledReader = (wanted: Wanted): Promise<Filled> => {
  const name = JSON.stringify(wanted)
  const found = kept.get(name)
  if (found !== undefined) return found
  const made = fill(wanted)
  kept.set(name, made)
  return made
}
