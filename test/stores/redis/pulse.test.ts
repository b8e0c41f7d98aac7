/**
 * Since when a server says nothing: by what was sent to it, and not by what was sent elsewhere first.
 */
import { assert, it } from "@effect/vitest"
import { Context } from "effect"
import type { Job } from "../../../src/stores/redis/wire/job.ts"
import { Pulse } from "../../../src/stores/redis/wire/pulse.ts"

const job = (at: number, arrived: number): Job => ({
  operation: "test",
  name: "get",
  args: [],
  encoding: null,
  reply: () => {},
  at,
  arrived,
  seen: 0,
  held: false,
  done: false,
  command: undefined,
  flushedAt: 0
})

it("a server is silent since the first that it did not answer came to it, also by a redirection", () => {
  const pulse = new Pulse({ timeoutMillis: 1_000 }, Context.empty())
  pulse.missed(job(0, 900))
  pulse.missed(job(950, 950))
  // Five deadlines.
  assert.isFalse(pulse.isSilent(5_900))
  assert.isTrue(pulse.isSilent(5_901))
})
