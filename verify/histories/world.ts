/**
 * What the processes of a run share: the keys, the tags they bear, and the clock.
 */

/** The families of keys: without tags, with tags that follow from the row, with a tag known beforehand. */
export const families = ["plain", "tagged", "fixed"] as const
export type Family = (typeof families)[number]

/** Few keys, so that all of them are hot. */
export const ids: ReadonlyArray<number> = [0, 1, 2, 3]

export const keyOf = (family: Family, id: number): string => `${family}:${id}`

export const keys: ReadonlyArray<string> = families.flatMap((family) => ids.map((id) => keyOf(family, id)))

export const keysOf = (family: Family): ReadonlyArray<string> => ids.map((id) => keyOf(family, id))

const groupOf = (id: number): string => `group:${id % 2}`

/** The tags of a row of the tagged family. */
export const tagsOf = (id: number): ReadonlyArray<string> => ["all", groupOf(id)]

/** The tag that all of the fixed family bear. */
export const fixedTag = "fixed"

/** Which keys bear a tag. */
export const bearers: Readonly<Record<string, ReadonlyArray<string>>> = {
  all: keysOf("tagged"),
  [groupOf(0)]: ids.filter((id) => groupOf(id) === groupOf(0)).map((id) => keyOf("tagged", id)),
  [groupOf(1)]: ids.filter((id) => groupOf(id) === groupOf(1)).map((id) => keyOf("tagged", id)),
  [fixedTag]: keysOf("fixed")
}

export const tags: ReadonlyArray<string> = Object.keys(bearers)

/** The load of a value that was handed to `set`: its number among those of its process. */
export const setLoad = (process: string, number: number): string => `${process}/set${number}`
export const isSet = (load: string): boolean => load.includes("/set")

/** The load of the rows that stand under our names in another database of the server, which is none of our business. */
export const poison = "elsewhere"

/** What a process can be in the middle of when it is told to stand still: it has read the database, or changed it. */
export const amidst = ["load", "write"] as const
export type Amidst = (typeof amidst)[number]

/** The names that the keys and tags have in Redis, by docs/protocol.md. */
export const redisNames = (namespace: string) => ({
  entry: (key: string) => `${namespace}:e:{${key}}`,
  lease: (key: string) => `${namespace}:l:{${key}}`,
  marker: (tag: string) => `${namespace}:t:${tag}`,
  epoch: `${namespace}:epoch`
})

/**
 * Microseconds of the clock that all processes of a machine share. What starts is dated before it does, and what ends
 * after it did, so that "started after it ended" is never claimed wrongly.
 */
export const startMicros = (): number => Number(process.hrtime.bigint() / 1000n)
export const endMicros = (): number => startMicros() + 1
