/**
 * Commands that wait to be sent: how long, and that none hides others from their deadlines. The server says nothing of its own:
 * what is answered, and when, is up to the test.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { CacheError } from "../../../src/CacheError.ts"
import { calculateSlot } from "../../../src/stores/redis/nodes/slot.ts"
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
      asked.push(command[1] ?? command[0])
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
      /** Asks with the name of a key; `at` says that it was sent elsewhere first, at that time. `then` is called at once. */
      ask: (name: string, at?: number, then?: () => void) =>
        nodes.primaries()[0]!.command(
          "test",
          name === "asking" ? "asking" : "incr",
          name === "asking" ? [] : [name],
          "utf8",
          (error: CacheError | undefined) => {
            told.push({ name, failed: error?.reason._tag, turn })
            onTold()
            then?.()
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

/** Holds the event loop until then. */
const holdUntil = (end: number) => {
  while (performance.now() < end);
}

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

it.effect("ASKING goes out with its own command, also where there is room for one only", () =>
  Effect.gen(function*() {
    const { ask, asked, ready, reply, untilAsked } = yield* setUp(500)
    yield* ready
    for (let i = 0; i < 2 * inFlightMax; i++) ask(`${i}`)
    yield* untilAsked(inFlightMax)
    // Their deadline ends before that of any other, and so before there is room again.
    const at = performance.now() - 250
    ask("asking", at)
    ask("redirected", at)
    reply(1)
    yield* untilAsked(inFlightMax + 2)
    assert.deepStrictEqual(asked.slice(inFlightMax, inFlightMax + 2), ["asking", "redirected"])
  }).pipe(Effect.scoped)
)

it.effect("that the server is silent is not said by what came by a redirection a moment ago", () =>
  Effect.gen(function*() {
    const timeoutMillis = 500
    const { ask, asked, ready, reply, told, untilTold } = yield* setUp(timeoutMillis)
    yield* ready
    const answering = setInterval(() => reply(1), 20)
    yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(answering)))
    for (let i = 0; i < 5 * inFlightMax; i++) ask(`${i}`)
    // The first have had their deadline, and those that still wait are older than one.
    yield* untilTold(inFlightMax)
    clearInterval(answering)
    yield* Effect.promise(
      () => new Promise<void>((resolve) => ask("redirected", performance.now() - timeoutMillis + 5, resolve))
    )
    assert.strictEqual(told.find(({ name }) => name === "redirected")?.failed, "TimedOut")
    const sent = new Set(asked)
    const unsent = told.filter(({ name }) => name !== "redirected" && !sent.has(name))
    assert.lengthOf(unsent, 0)
  }).pipe(Effect.scoped)
)

it.effect("what waits does not fail because this process stood still for longer than it may wait", () =>
  Effect.gen(function*() {
    const { ask, ready, reply, told, untilAsked, untilTold } = yield* setUp(100)
    yield* ready
    // Those that go out next, and others that wait for them.
    const total = 3 * inFlightMax
    ask("0", undefined, () => holdUntil(performance.now() + 600))
    for (let i = 1; i < total; i++) ask(`${i}`)
    yield* untilAsked(inFlightMax)
    const answering = setInterval(() => reply(inFlightMax), 1)
    yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(answering)))
    yield* untilTold(total)
    assert.lengthOf(
      told.filter(({ failed }) => failed !== undefined),
      0
    )
  }).pipe(Effect.scoped)
)

it.effect("what there is room for is sent before it is looked at how long it has waited", () =>
  Effect.gen(function*() {
    const timeoutMillis = 250
    const { ask, ready, reply, told, untilAsked, untilTold } = yield* setUp(timeoutMillis)
    yield* ready
    const rounds = 4
    const start = performance.now()
    for (let i = 0; i < rounds * inFlightMax; i++) ask(`${i}`)
    for (let round = 1; round <= rounds; round++) {
      yield* untilAsked(round * inFlightMax)
      reply(inFlightMax)
      // The last have waited for more than five deadlines then. Each time the loop is held for less than two.
      if (round < rounds) holdUntil(start + round * 1.9 * timeoutMillis)
    }
    yield* untilTold(rounds * inFlightMax)
    assert.lengthOf(
      told.filter(({ failed }) => failed !== undefined),
      0
    )
  }).pipe(Effect.scoped)
)

it.effect("a reply is read before its command is late, also where who reads another holds the event loop", () =>
  Effect.gen(function*() {
    const timeoutMillis = 400
    const { ask, ready, reply, told, untilAsked, untilTold } = yield* setUp(timeoutMillis)
    yield* ready
    const first = performance.now()
    let second = Infinity
    ask("first", undefined, () => {
      reply(1)
      holdUntil(second + timeoutMillis + 1)
    })
    yield* untilAsked(1)
    yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, timeoutMillis / 2)))
    ask("second")
    second = performance.now()
    yield* untilAsked(2)
    reply(1)
    // The timer fires for the first one, whose reply is there and read after that.
    holdUntil(first + timeoutMillis + 10)
    yield* untilTold(2)
    assert.deepStrictEqual(
      told.map(({ failed, name }) => [name, failed]),
      [
        ["first", undefined],
        ["second", undefined]
      ]
    )
  }).pipe(Effect.scoped)
)

it.effect(
  "on Cluster, what waited for longer than a deadline and is redirected then has its time from when it was sent",
  () =>
    Effect.gen(function*() {
      const to = yield* HostileRedis.scoped((command, say) => {
        if (isHandshake(command)) return handshake(command)
        // Not at once: what is late already fails before.
        if (command[0] === "incr") setTimeout(() => say(":1\r\n"), 20)
        return undefined
      })
      let owed = 0
      let answer = () => {}
      const from: HostileRedis = yield* HostileRedis.scoped((command, say): ReturnType<Answer> => {
        if (isHandshake(command)) return handshake(command)
        // Replies stand in the order of the commands: with others before it, it is not answered well.
        if (command[0] === "cluster" && owed === 0) {
          return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${from.port}\r\n`
        }
        if (command[1] === "moved") {
          return `${":1\r\n".repeat(owed)}-MOVED ${calculateSlot("moved")} 127.0.0.1:${to.port}\r\n`
        }
        owed++
        answer = () => {
          owed--
          say(":1\r\n")
        }
        return undefined
      })
      const { nodes } = yield* openCommands({ mode: "cluster", url: from.url, timeout: "500 millis" })
      yield* eventually(Effect.sync(() => nodes.of("moved")?.ready === true))
      // It answers a few of them until the end of their deadline; those that wait go out then.
      const answering = setInterval(() => owed > 0 && answer(), 20)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(answering)))
      const failed = yield* Effect.promise(
        () =>
          new Promise<string | undefined>((resolve) => {
            for (let i = 0; i < 1.5 * inFlightMax; i++)
              nodes.command("moved", "test", "incr", [`${i}`], "utf8", () => {})
            nodes.command("moved", "test", "incr", ["moved"], "utf8", (error) => resolve(error?.reason._tag))
          })
      )
      assert.isUndefined(failed)
    }).pipe(Effect.scoped)
)
