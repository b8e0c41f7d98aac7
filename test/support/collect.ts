/**
 * The garbage collector, for tests of what keeps things alive.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect } from "effect"

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as () => void

/** Collects what nothing holds. What a weak reference was asked for is held until the turn of the loop has ended. */
export const collect: Effect.Effect<void> = Effect.andThen(Effect.sleep(1), Effect.sync(gc))
