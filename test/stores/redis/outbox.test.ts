/**
 * Commands that wait to be sent: how long, and that none hides others from their deadlines. The server says nothing of its own:
 * what is answered, and when, is up to the test.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CacheError } from "../../../src/CacheError.ts"
import type { Answer, Received } from "../../security/hostileRedis.ts"
import { handshake, HostileRedis, isHandshake } from "../../security/hostileRedis.ts"
import { eventually, openCommands } from "./support.ts"

/** At most so many are under way. */
const inFlightMax = 1_000

/** What becomes of commands, in the order in which it does. */
interface Told {
  readonly name: string
  readonly failed: string | undefined
  /** The turn of the event loop. */
  readonly turn: number
}

/** A server that keeps what it is asked, and answers when it is told to. */
const setUp = (timeoutMillis: number, answer: Answer = handshake) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    let say: (bytes: string) => void = () => {}
    let answered = 0
    let onAsked = () => {}
    const server = yield* HostileRedis.scoped((command: Received, reply) => {
      if (isHandshake(command)) return answer(command)
      say = reply
      asked.push(command[1]!)
      onAsked()
      return undefined
    })
    const { nodes } = yield* openCommands({ url: server.url, timeout: `${timeoutMillis} millis` })
    const told: Array<Told> = []
    let turn = 0
    let onTold = () => {}
    const tick = () => {
      turn++
      ticking = setImmediate(tick)
    }
    let ticking = setImmediate(tick)
    yield* Effect.addFinalizer(() => Effect.sync(() => clearImmediate(ticking)))
    const reach = (count: () => number, least: number, listen: (listener: () => void) => void) =>
      Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            const look = () => {
              if (count() >= least) resolve()
            }
            listen(look)
            look()
          })
      )
    return {
      nodes,
      asked,
      told,
      ready: eventually(Effect.sync(() => nodes.primaries()[0]!.ready)),
      /** Asks with the name of a key; `at` says that it was sent elsewhere first, at that time. */
      ask: (name: string, at?: number) =>
        nodes.primaries()[0]!.command(
          "test",
          "incr",
          [name],
          "utf8",
          (error: CacheError | undefined) => {
            told.push({ name, failed: error?.reason._tag, turn })
            onTold()
          },
          false,
          at
        ),
      /** Answers the oldest that are not answered yet. */
      reply: (most: number) => {
        const count = Math.min(most, asked.length - answered)
        answered += count
        if (count > 0) say(":1\r\n".repeat(count))
      },
      untilAsked: (least: number) =>
        reach(
          () => asked.length,
          least,
          (listener) => (onAsked = listener)
        ),
      untilTold: (least: number) =>
        reach(
          () => told.length,
          least,
          (listener) => (onTold = listener)
        )
    }
  })

it.effect(
  "what waits for its turn for five deadlines fails and is not sent, while others are answered all the time",
  () =>
    Effect.gen(function*() {
      const { ask, asked, ready, reply, told, untilTold } = yield* setUp(100)
      yield* ready
      const total = 20_000
      // A timer fires no more often than each millisecond, so at most 8,000 are answered within the five deadlines.
      const answering = setInterval(() => reply(16), 1)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(answering)))
      for (let i = 0; i < total; i++) ask(`${i}`)
      yield* untilTold(total)
      const failed = told.filter((each) => each.failed !== undefined)
      assert.isBelow(asked.length, total)
      assert.isAtLeast(failed.length, total - asked.length)
      assert.isTrue(failed.every((each) => each.failed === "TimedOut"))
      // What was sent was sent in its order, and none of the others later.
      assert.deepStrictEqual(
        asked,
        asked.map((_, i) => `${i}`)
      )
      // A caller that is told goes on at once: not all of them in one turn.
      const turns = new Map<number, number>()
      for (const each of failed) turns.set(each.turn, (turns.get(each.turn) ?? 0) + 1)
      assert.isAtMost(Math.max(...turns.values()), 3 * inFlightMax)
    }).pipe(Effect.scoped)
)

it.effect("what waits for a first connect has one deadline, however much waits, and is never sent", () =>
  Effect.gen(function*() {
    const { ask, asked, nodes, told, untilTold } = yield* setUp(100, () => undefined)
    const total = 3 * inFlightMax
    for (let i = 0; i < total; i++) ask(`${i}`)
    yield* untilTold(total)
    assert.isFalse(nodes.primaries()[0]!.ready)
    assert.deepStrictEqual([...new Set(told.map(({ failed }) => failed))], ["TimedOut"])
    assert.strictEqual(nodes.primaries()[0]!.waiting, 0)
    assert.lengthOf(asked, 0)
  }).pipe(Effect.scoped)
)

it.effect("what was redirected goes out before all that wait, in its order", () =>
  Effect.gen(function*() {
    const { ask, asked, ready, reply, told, untilAsked, untilTold } = yield* setUp(30_000)
    yield* ready
    const total = 3 * inFlightMax
    for (let i = 0; i < total; i++) ask(`${i}`)
    yield* untilAsked(inFlightMax)
    ask("asking", performance.now())
    ask("redirected", performance.now())
    reply(1)
    yield* untilAsked(inFlightMax + 1)
    reply(1)
    yield* untilAsked(inFlightMax + 2)
    const answering = setInterval(() => reply(inFlightMax), 1)
    yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(answering)))
    yield* untilTold(total + 2)
    assert.isTrue(told.every(({ failed }) => failed === undefined))
    assert.deepStrictEqual(asked.slice(inFlightMax, inFlightMax + 2), ["asking", "redirected"])
  }).pipe(Effect.scoped)
)

it.effect("what was redirected fails with its deadline, before all that is sent later, however long that waits", () =>
  Effect.gen(function*() {
    const { ask, ready, reply, told, untilAsked, untilTold } = yield* setUp(1_000)
    yield* ready
    const total = 3 * inFlightMax
    for (let i = 0; i < total; i++) ask(`${i}`)
    yield* untilAsked(inFlightMax)
    ask("redirected", performance.now())
    ask("older", performance.now() - 500)
    // One answer: the server is not silent, so the others wait for their turn.
    reply(1)
    yield* untilTold(total + 2)
    const sent = Array.from({ length: inFlightMax - 1 }, (_, i) => `${i + 1}`)
    const order = ["0", "older", ...sent, "redirected"]
    assert.deepStrictEqual(
      told.slice(0, order.length).map(({ name }) => name),
      order
    )
    assert.deepStrictEqual([...new Set(told.slice(1).map(({ failed }) => failed))], ["TimedOut"])
  }).pipe(Effect.scoped)
)
