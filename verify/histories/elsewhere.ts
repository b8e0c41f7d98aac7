/**
 * Database 0 of a server whose clients belong in another: the place where a client ends that is refused its own and goes on
 * all the same. Rows stand there under the very names that the clients use. To read one of them is a fault that the checker
 * sees, and to change or remove one, or to add one, a fault that is seen here.
 */
import { Effect } from "effect"
import type { Redis } from "ioredis"
import { attempt, type RedisServerError, type RunningRedis } from "../../test/support/redisServer.ts"
import { eventually, session } from "../../test/support/topology.ts"
import type { Subject } from "./subject.ts"
import { families, ids, keyOf, poison } from "./world.ts"

export interface Elsewhere {
  /** Puts everything in its place again. */
  readonly plant: Effect.Effect<void, RedisServerError>
  /** What is not as it was put, in words. */
  readonly touched: Effect.Effect<ReadonlyArray<string>, RedisServerError>
}

const lookUp = async (redis: Redis): Promise<Map<string, Buffer>> => {
  const found = new Map<string, Buffer>()
  for (const name of await redis.keys("*")) {
    const bytes = await redis.getBuffer(name)
    if (bytes !== null) found.set(name, bytes)
  }
  return found
}

/** Lets a subject that works there store the rows, so that they are what one of its kind would read; closes it. */
export const makeElsewhere = (server: RunningRedis, subject: Subject): Effect.Effect<Elsewhere, RedisServerError> =>
  Effect.gen(function*() {
    const operated = <A>(use: (redis: Redis) => Promise<A>) => attempt(() => session(server, undefined, use))
    // A subject may take a moment until it is connected.
    const put = eventually("rows in database 0", async () => {
      for (const family of families) {
        for (const id of ids) {
          const key = keyOf(family, id)
          await subject.set(family, id, { key, version: 0, load: poison, loadedAt: 0 })
          const { row } = await subject.read("get", family, id)
          if (row?.load !== poison) throw new Error(`the row of ${key} is not found where it was put`)
        }
      }
    })
    yield* Effect.ensuring(put, Effect.promise(subject.close))
    const planted = yield* operated(lookUp)
    return {
      plant: operated(async (redis) => {
        await redis.flushdb()
        await redis.mset(planted)
      }),
      touched: operated(async (redis) => {
        const found = await lookUp(redis)
        const gone = [...planted].flatMap(([name, bytes]) => {
          const now = found.get(name)
          return now === undefined ? [`${name} was removed`] : now.equals(bytes) ? [] : [`${name} was changed`]
        })
        return [...gone, ...[...found.keys()].filter((name) => !planted.has(name)).map((name) => `${name} was added`)]
      })
    }
  })
