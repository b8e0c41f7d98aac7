/**
 * Which groups two versions are measured with.
 */
import type { Planned } from "../lib/run.ts"
import { batch } from "../workloads/batch.ts"
import { memoryHttp, redisHttp } from "../workloads/httpHit.ts"
import { memoryHit } from "../workloads/memoryHit.ts"
import { memoryMiss, redisMiss } from "../workloads/miss.ts"
import { redisHit } from "../workloads/redisHit.ts"
import { stampede } from "../workloads/stampede.ts"
import { memoryWrite, redisWrite } from "../workloads/write.ts"

export const subject = "effect-cache"

/** Those that import nothing of the library but its entry points. */
const workloads = [
  memoryHit,
  memoryMiss,
  redisHit,
  redisMiss,
  memoryWrite,
  redisWrite,
  memoryHttp,
  redisHttp,
  batch,
  stampede
]

/** Where --only says nothing. */
const usual = new Set([
  "memory-hit/zipf",
  "memory-hit/hot",
  "memory-miss/one",
  "redis-hit/1-0tags-150B",
  "redis-hit/64-0tags-150B",
  "redis-miss/1",
  "redis-miss/64",
  "memory-write/key",
  "memory-write/tags",
  "redis-write/key-1",
  "redis-write/tags-1",
  "redis-write/key-64",
  "redis-write/tags-64",
  "memory-http/name",
  "memory-http/variants",
  "redis-http/name-64",
  "redis-http/variants-64",
  "batch/100",
  "stampede/1",
  "stampede/4"
])

/** `--only redis-hit` is the usual groups of that workload; what is not usual is asked for by more of its id. */
export const plan = (only: ReadonlyArray<string>): ReadonlyArray<Planned> => {
  const all = workloads.map((workload) => ({
    workload,
    // Filled as for the short set, where that has the group.
    groups: [
      ...new Map([...workload.groups("full"), ...workload.groups("short")].map((group) => [group.id, group])).values()
    ].filter(({ subjects }) => subjects.includes(subject))
  }))
  const ids = all.flatMap(({ groups }) => groups.map(({ id }) => id))
  const wanted = (start: string): ReadonlyArray<string> => {
    const found = ids.filter((id) => id.startsWith(start))
    const some = found.filter((id) => usual.has(id))
    return some.length > 0 ? some : found
  }
  const chosen = only.length === 0 ? usual : new Set(only.flatMap(wanted))
  return all
    .map(({ groups, workload }) => ({ workload, groups: groups.filter(({ id }) => chosen.has(id)) }))
    .filter(({ groups }) => groups.length > 0)
}

/** Every id there is, the usual ones first. */
export const allIds = (): ReadonlyArray<{ readonly id: string; readonly title: string; readonly usual: boolean }> =>
  workloads
    .flatMap((workload) => [...workload.groups("full"), ...workload.groups("short")])
    .filter(
      (group, i, groups) => group.subjects.includes(subject) && groups.findIndex(({ id }) => id === group.id) === i
    )
    .map(({ id, title }) => ({ id, title, usual: usual.has(id) }))
    .sort((a, b) => Number(b.usual) - Number(a.usual))
