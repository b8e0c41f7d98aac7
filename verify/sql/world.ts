/**
 * What the processes of a run share: the rows, the lists of rows, and the tags that these bear.
 *
 * Rows stand in zones. At a time only one zone is written, and all are read: a value that stays old where nobody writes any more
 * is seen to be old, and no later write hides it.
 */
export const zoneCount = 12

/** Few rows in a zone, so that all of them are hot. */
export const ids: ReadonlyArray<number> = [0, 1, 2, 3, 4, 5]
const groups: ReadonlyArray<number> = [0, 1]

export interface Ref {
  readonly zone: number
  readonly id: number
}

export const groupOf = (id: number): number => id % groups.length

export const rowKey = ({ id, zone }: Ref): string => `item:${zone}:${id}`
export const listKey = (zone: number, group: number): string => `list:${zone}:${group}`
/** The list that a row is in. */
export const listOf = ({ id, zone }: Ref): string => listKey(zone, groupOf(id))

/** The tag of the rows of a group, and the one of their list. */
export const rowsTag = (zone: number, group: number): string => `rows:${zone}:${group}`
export const listTag = (zone: number, group: number): string => `lists:${zone}:${group}`

/** The tags of all lists of a zone. */
export const listTags = (zone: number): ReadonlyArray<string> => groups.map((group) => listTag(zone, group))

export const rowsPattern = (zone: number): string => `item:${zone}:*`
export const listsPattern = (zone: number): string => `list:${zone}:*`

/** The keys of a group's rows. */
export const rowsIn = (zone: number, group: number): ReadonlyArray<string> =>
  ids.filter((id) => groupOf(id) === group).map((id) => rowKey({ zone, id }))
/** All keys of a zone. */
export const keysIn = (zone: number): ReadonlyArray<string> => [
  ...ids.map((id) => rowKey({ zone, id })),
  ...groups.map((group) => listKey(zone, group))
]

/** What a row or a list that nobody has written yet says of its last write. */
export const unwritten = "none"

/** How a transaction is named: its process, and its number there. */
export const processOf = (tx: string): string => tx.slice(0, tx.indexOf("#"))

/** A write of a transaction. */
export const writeOf = (tx: string, number: number): string => `${tx}.${number}`
export const isWriteOf = (tx: string, write: string): boolean => write.startsWith(`${tx}.`)
