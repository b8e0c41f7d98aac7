/**
 * What a subject is given, and what it is.
 */
import type { Reader } from "./drive.ts"
import type { Loader } from "./items.ts"

export interface Setup {
  readonly loader: Loader
  /** Tags of every entry. */
  readonly tags: ReadonlyArray<string>
  /** Of a Redis server, where the store is one. */
  readonly url: string
  /** What keys in Redis start with, so that subjects share a server. */
  readonly prefix: string
  /** How many entries there will be; bounded caches are given room for twice as many. */
  readonly entries: number
  /** Loads are to happen once among all processes, where a subject can do that. */
  readonly protect?: boolean
}

export type Make = (setup: Setup) => Promise<Reader>

export interface SubjectModule {
  readonly memory?: Readonly<Record<string, Make>>
  readonly redis?: Readonly<Record<string, Make>>
}
