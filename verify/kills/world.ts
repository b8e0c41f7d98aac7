/**
 * What a writer that is killed and those who read share: the rows, what depends on them, and the steps of a write.
 *
 * The database is a folder: a row has its second version when its file is there. The file comes by `rename`, which is the commit, and
 * holds the moment of it.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { Layer, Schema } from "effect"
import { CacheConfig, type CacheError, type CacheServices } from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"

const Row = Schema.Struct({ key: Schema.String, version: Schema.Number })

export const lists = ["newest", "best", "mine"] as const

export const pages = ["1", "2"] as const

/** The tag of one list of a row. */
export const tagOf = (id: string, list: string): string => `${list}:${id}`
/** The pattern of the pages of a row. */
export const pagesOf = (id: string): string => `page:${id}:*`

const ttl = "10 minutes"
export const regions = {
  row: { key: "row:{id}", schema: Row, ttl },
  list: {
    key: "list:{id}:{list}",
    schema: Row,
    ttl,
    tags: (_: unknown, { id, list }: { readonly id: unknown; readonly list: unknown }) => [
      tagOf(String(id), String(list))
    ]
  },
  page: { key: "page:{id}:{page}", schema: Row, ttl }
} as const

export interface ClientOptions {
  readonly url: string
  readonly leaseMillis: number
  readonly sweepMillis: number
}

export const clientLayer = ({ leaseMillis, sweepMillis, url }: ClientOptions): Layer.Layer<CacheServices, CacheError> =>
  Layer.provide(
    // Long: no server fails here, so a command that is late is one of a busy machine.
    CacheRedis.layer({ url, namespace: "kills", timeout: "10 seconds" }),
    CacheConfig.layer({ lockTtl: leaseMillis, sweepInterval: sweepMillis })
  )

const rowFile = (folder: string, id: string) => path.join(folder, `${id}.row`)

/** Commits the second version of a row. */
export const commit = (folder: string, id: string, now: number): void => {
  const file = rowFile(folder, id)
  fs.writeFileSync(`${file}.new`, String(now))
  fs.renameSync(`${file}.new`, file)
}

/** When the second version was committed; `undefined`: not yet. */
export const committedAt = (folder: string, id: string): number | undefined => {
  try {
    return Number(fs.readFileSync(rowFile(folder, id), "utf8"))
  } catch {
    return undefined
  }
}

/** Where a writer says what it is about to do. */
export const stepsFile = (folder: string, id: string): string => path.join(folder, `${id}.steps`)

/** What a writer says last, with the moment of it: its write was acknowledged, or it dies. */
export const acknowledged = "acknowledged"
export const dead = "dead"
