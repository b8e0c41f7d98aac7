/**
 * Benchmarks, as ratios measured side by side in one run: `npm run bench`. Machines are noisy; only the ratios travel.
 */
import { Effect } from "effect"
import { memory } from "./memory.ts"
import { redis } from "./redis.ts"

await Effect.runPromise(memory)
await Effect.runPromise(redis)
