/**
 * All workloads, in the order in which they run and are told.
 */
import type { Workload } from "../lib/workload.ts"
import { batch } from "./batch.ts"
import { eventLoop } from "./eventLoop.ts"
import { footprint } from "./footprint.ts"
import { growth } from "./growth.ts"
import { hitRatio } from "./hitRatio.ts"
import { invalidation } from "./invalidation.ts"
import { memoryHttp, redisHttp } from "./httpHit.ts"
import { memoryHit } from "./memoryHit.ts"
import { memoryMiss, redisMiss } from "./miss.ts"
import { redisHit } from "./redisHit.ts"
import { stampede } from "./stampede.ts"
import { startup } from "./startup.ts"
import { memoryWrite, redisWrite } from "./write.ts"

export const workloads: ReadonlyArray<Workload> = [
  memoryHit,
  memoryMiss,
  redisHit,
  redisMiss,
  memoryWrite,
  redisWrite,
  memoryHttp,
  redisHttp,
  batch,
  stampede,
  invalidation,
  eventLoop,
  footprint,
  hitRatio,
  startup,
  growth
]
