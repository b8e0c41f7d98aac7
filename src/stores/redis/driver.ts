/**
 * ioredis, loaded when the first cache on Redis is built. It is an optional peer: who keeps everything in memory does not
 * install it. A static import would fail before any code of ours runs, with an error that says nothing of what to do.
 */
import { Effect } from "effect"
import { CacheError, Unavailable } from "../../CacheError.ts"

type Driver = Pick<typeof import("ioredis"), "Command" | "Redis">

let loaded: Driver | undefined

/** In a `try`: bundlers then take a package that is not there for one that may be missing. */
const load = async (): Promise<void> => {
  try {
    loaded = await import("ioredis")
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`ioredis cannot be loaded (${text}); install it beside effect-cache: npm install ioredis@6`, {
      cause
    })
  }
}

/** To be done before `driver` is asked for. Fails where ioredis is not installed. */
export const loadDriver: Effect.Effect<void, CacheError> = Effect.suspend(() =>
  loaded !== undefined
    ? Effect.void
    : Effect.tryPromise({
        try: load,
        catch: (cause) =>
          new CacheError({ reason: new Unavailable({ backend: "redis", operation: "load the driver", cause }) })
      })
)

/** What was loaded. */
export const driver = (): Driver => {
  if (loaded === undefined) throw new Error("ioredis is used before it was loaded")
  return loaded
}
