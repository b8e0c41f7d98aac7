/**
 * Commands that wait to be sent: how long, and that none hides others from their deadlines.
 */
import { assert, it } from "@effect/vitest"
import type { Job } from "../../../src/stores/redis/wire/job.ts"
import { Outbox } from "../../../src/stores/redis/wire/outbox.ts"

const timeoutMillis = 100

const jobAt = (asked: number, held: boolean): Job => ({
  operation: "test",
  name: "incr",
  args: ["k"],
  encoding: "utf8",
  reply: () => {},
  at: asked,
  asked,
  seen: 0,
  held,
  done: false,
  command: undefined
})

it("what is held back waits for its turn for five deadlines, and no longer", () => {
  const outbox = new Outbox()
  const job = jobAt(1_000, true)
  for (const now of [1_100, 1_200, 1_300, 1_400, 1_499]) {
    assert.isTrue(outbox.holds(job, now, timeoutMillis))
    assert.strictEqual(job.at, now)
  }
  assert.isFalse(outbox.holds(job, 1_500, timeoutMillis))
})

it("what is not held back has one deadline", () => {
  assert.isFalse(new Outbox().holds(jobAt(1_000, false), 1_100, timeoutMillis))
})
