/**
 * What is put to the proof: this library, as a program with a database uses it. All of its API that the proof uses is used here.
 */
import { type Effect, Layer, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import {
  cacheAside,
  CacheClient,
  CacheConfig,
  type CacheError,
  type CacheServices,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  stampedeProtect,
  writeAround,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import type { ReadKind } from "./records.ts"
import { groupOf, listOf, listTag, listTags, type Ref, rowKey, rowsTag } from "./world.ts"

export const Row = Schema.Struct({
  key: Schema.String,
  /** Its last write, and which load brought it. */
  write: Schema.String,
  load: Schema.String,
  id: Schema.Number,
  present: Schema.Boolean
})
export type Row = typeof Row.Type

export const List = Schema.Struct({
  key: Schema.String,
  write: Schema.String,
  load: Schema.String,
  members: Schema.String
})
export type List = typeof List.Type

/** A transaction that is to be rolled back ends with it. */
export class RolledBack extends Schema.TaggedError<RolledBack>()("RolledBack", {}) {}

export type Fault = SqlError.SqlError | CacheError | RolledBack
export type Needs = SqlClient.SqlClient | CacheServices
type Write = Effect.Effect<Row, Fault, Needs>

/** What a subject gets from the process it works in. */
export interface Source {
  readonly loadRow: (ref: Ref) => Effect.Effect<Row, SqlError.SqlError, SqlClient.SqlClient>
  readonly loadList: (zone: number, group: number) => Effect.Effect<List, SqlError.SqlError, SqlClient.SqlClient>
}

/**
 * A cache under test. Inside a transaction each of them may be called, too. What announces a write names what it has made old; the
 * three writes name their row and its list.
 */
export interface Subject {
  readonly readRow: (kind: ReadKind, ref: Ref) => Effect.Effect<Row, Fault, Needs>
  readonly readList: (kind: ReadKind, zone: number, group: number) => Effect.Effect<List, Fault, Needs>
  readonly invalidateKey: (key: string) => Effect.Effect<void, Fault, Needs>
  readonly invalidateTags: (tags: ReadonlyArray<string>) => Effect.Effect<void, Fault, Needs>
  readonly invalidatePattern: (pattern: string) => Effect.Effect<void, Fault, Needs>
  readonly set: (ref: Ref, row: Row) => Effect.Effect<void, Fault, Needs>
  readonly refresh: (ref: Ref) => Effect.Effect<Row, Fault, Needs>
  /** The row is known before. */
  readonly through: (ref: Ref, write: Write) => Write
  /** Which row it is, is known after the write. */
  readonly create: (zone: number, write: Write) => Write
  /** The row is gone after it. */
  readonly remove: (ref: Ref, write: Write) => Write
}

export interface SubjectOptions {
  readonly url: string
  readonly namespace: string
  readonly leaseMillis: number
}

/** Long: no server fails here, so a command that is late is one of a busy machine. */
const timeout = "10 seconds"

export const subjectLayer = ({ leaseMillis, namespace, url }: SubjectOptions): Layer.Layer<CacheServices, CacheError> =>
  Layer.provide(CacheRedis.layer({ url, namespace, timeout }), CacheConfig.layer({ lockTtl: leaseMillis }))

interface RowParams {
  readonly zone: number
  readonly id: number
}
interface ListParams {
  readonly zone: number
  readonly group: number
}

const rowTags = (_: unknown, { id, zone }: { readonly id: unknown; readonly zone: unknown }) => [
  rowsTag(Number(zone), groupOf(Number(id)))
]
const tagsOfList = (_: unknown, { group, zone }: { readonly group: unknown; readonly zone: unknown }) => [
  listTag(Number(zone), Number(group))
]

const ttl = "2 minutes"
const rows = { key: "item:{zone}:{id}", schema: Row, ttl, tags: rowTags } as const
const lists = { key: "list:{zone}:{group}", schema: List, ttl, tags: tagsOfList } as const
const strict = { ...rows, onCacheError: "fail" } as const

/** A row to write, and how. */
interface Writing extends RowParams {
  readonly write: Write
}

export const makeSubject = (source: Source): Subject => {
  const loadRow = ({ id, zone }: RowParams) => source.loadRow({ zone, id })
  const loadList = ({ group, zone }: ListParams) => source.loadList(zone, group)
  const rowReaders = { aside: cacheAside(rows)(loadRow), stampede: stampedeProtect(rows)(loadRow) }
  const listReaders = { aside: cacheAside(lists)(loadList), stampede: stampedeProtect(lists)(loadList) }
  const run = ({ write }: Writing) => write
  // What is listed is fixed, so that it is known before the write begins.
  const writers = new Map<string, (writing: Writing) => Write>()
  const writerOf = (zone: number, id: number) => {
    const tag = listTag(zone, groupOf(id))
    let writer = writers.get(tag)
    if (writer === undefined) writers.set(tag, (writer = writeThrough(strict, { invalidateTags: [tag] })(run)))
    return writer
  }
  const removers = new Map<string, (writing: Writing) => Write>()
  const removerOf = (zone: number, id: number) => {
    const tag = listTag(zone, groupOf(id))
    let remover = removers.get(tag)
    if (remover === undefined) removers.set(tag, (remover = writeAround(strict, { invalidateTags: [tag] })(run)))
    return remover
  }
  // Which row it is, and so which list it is in, is known only after the write: all lists of the zone are announced before it.
  const creators = new Map<number, (creating: { readonly write: Write }) => Write>()
  const creatorOf = (zone: number) => {
    let creator = creators.get(zone)
    if (creator === undefined) {
      const made = writeThrough(strict, { keyOf: ({ id }) => ({ zone, id }), invalidateTags: listTags(zone) })
      creators.set(zone, (creator = made(({ write }: { readonly write: Write }) => write)))
    }
    return creator
  }
  return {
    readRow: (kind, ref) => rowReaders[kind](ref),
    readList: (kind, zone, group) => listReaders[kind]({ zone, group }),
    invalidateKey,
    invalidateTags,
    invalidatePattern,
    set: (ref, row) =>
      CacheClient.use((client) =>
        client.set(rowKey(ref), row, { schema: Row, ttl, tags: [rowsTag(ref.zone, groupOf(ref.id))] })
      ),
    refresh: (ref) => rowReaders.aside.refresh(ref),
    through: ({ id, zone }, write) => writerOf(zone, id)({ zone, id, write }),
    create: (zone, write) => creatorOf(zone)({ write }),
    remove: ({ id, zone }, write) => removerOf(zone, id)({ zone, id, write })
  }
}

/** What the three writes of a subject make old. */
export const announced = (ref: Ref): ReadonlyArray<string> => [rowKey(ref), listOf(ref)]
