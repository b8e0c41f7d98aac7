/**
 * Makes trouble: four hands at once, each with its own kinds of faults, at random by a seed.
 */
import { Effect, Semaphore } from "effect"
import { generator } from "../../test/support/random.ts"
import type { Link, Moment } from "../../test/support/proxy.ts"
import type { RedisServerError } from "../../test/support/redisServer.ts"
import type { Fault } from "./checker.ts"
import type { Processes } from "./processes.ts"
import type { Setup, Topology } from "./setup.ts"
import { endMicros, keys, redisNames, startMicros, tags } from "./world.ts"

/** What each kind of fault is, for the table at the end. */
export const faultKinds = {
  kill: "processes killed (SIGKILL) and replaced",
  pause: "processes paused (SIGSTOP)",
  evict: "keys of ours evicted",
  "script-flush": "script caches flushed",
  delay: "connections delayed",
  "cut-request": "connections cut before a request was delivered",
  "cut-half": "connections cut with a request half delivered",
  "cut-reply": "connections cut before a reply was delivered",
  "half-open": "connections half open",
  "server-pause": "servers paused (SIGSTOP)",
  "server-restart": "servers restarted, empty",
  reshard: "slots moved",
  failover: "primaries killed and failed over"
} as const
export type FaultKind = keyof typeof faultKinds

/** The faults that a topology can suffer. A restarted primary that is empty is nothing replicas survive. */
export const faultsOf = (topology: Topology): ReadonlyArray<FaultKind> =>
  (Object.keys(faultKinds) as Array<FaultKind>).filter((kind) => {
    switch (kind) {
      case "server-restart":
        return topology === "standalone"
      case "reshard":
        return topology === "cluster"
      case "failover":
        return topology !== "standalone"
      default:
        return true
    }
  })

export interface NemesisOptions {
  readonly setup: Setup
  readonly processes: Processes
  readonly namespace: string
  readonly topology: Topology
  readonly faults: ReadonlyArray<FaultKind>
  readonly seed: number
  readonly millis: number
}

/** What a fault says of itself when it is over. */
type Told = Pick<Fault, "detail" | "paused" | "lost">

/** Works for so long, then leaves everything in order. */
export const runNemesis = (options: NemesisOptions): Effect.Effect<ReadonlyArray<Fault>, RedisServerError> =>
  Effect.gen(function*() {
    const { namespace, processes, setup, topology } = options
    const random = generator(options.seed)
    const pick = <A>(list: ReadonlyArray<A>): A => list[random(list.length)]!
    const between = (from: number, to: number) => from + random(to - from)
    const faults: Array<Fault> = []
    const names = redisNames(namespace)
    // Replicas follow through the same proxies. Before a failover they must have had the time to get everything, or it
    // would lose more than what was not replicated yet.
    const network = yield* Semaphore.make(100)

    /** Dates a fault. One that did nothing is none. */
    const dated = (kind: FaultKind, fault: Effect.Effect<Told | undefined, RedisServerError>) =>
      Effect.suspend(() => {
        const start = startMicros()
        return Effect.map(fault, (told) => {
          if (told !== undefined) faults.push({ kind, start, end: endMicros(), ...told })
        })
      })

    const withPrimaries = (command: ReadonlyArray<string>) =>
      Effect.flatMap(setup.primaries, (servers) =>
        // A server that is away, or does not have the slot, has nothing to lose.
        Effect.forEach(servers, (server) => Effect.orElseSucceed(server.raw(...command), () => ""), {
          concurrency: "unbounded"
        })
      )

    const evict = Effect.suspend(() => {
      const luck = random(20)
      const name =
        luck === 0
          ? names.epoch
          : luck < 6
            ? names.marker(pick(tags))
            : luck < 13
              ? names.lease(pick(keys))
              : names.entry(pick(keys))
      return Effect.map(withPrimaries(["UNLINK", name]), (replies) =>
        replies.some((reply) => reply.startsWith(":1")) ? { detail: name } : undefined
      )
    })

    const frozen = Effect.suspend(() => {
      const seat = pick(processes.seats)
      const name = seat.name()
      seat.freeze(true)
      return Effect.as(
        Effect.ensuring(
          Effect.sleep(between(30, 2500)),
          Effect.sync(() => seat.freeze(false))
        ),
        { detail: name, paused: name }
      )
    })

    const killed = Effect.suspend(() => {
      const seat = pick(processes.seats)
      const name = seat.name()
      return Effect.map(seat.replace, () => ({ detail: `${name}, then came ${seat.name()}` }))
    })

    /** One connection, or a part of them. */
    const someLinks = (): ReadonlyArray<Link> => {
      const links = setup.proxies.flatMap((proxy) => proxy.links())
      const chosen = random(2) === 0 || links.length === 0 ? [] : [pick(links)]
      return chosen.length > 0 ? chosen : links.filter(() => random(3) === 0)
    }

    const onLinks = (use: (links: ReadonlyArray<Link>) => Effect.Effect<string>) =>
      network.withPermits(1)(
        Effect.suspend(() => {
          const links = someLinks()
          if (links.length === 0) return Effect.succeed(undefined)
          return Effect.map(use(links), (what) => ({ detail: `${links.length} connections${what}` }))
        })
      )

    const delayed = onLinks((links) => {
      const millis = between(5, 150)
      const set = (value: number) => {
        for (const link of links) link.delay(value)
      }
      return Effect.as(
        Effect.acquireUseRelease(
          Effect.sync(() => set(millis)),
          () => Effect.sleep(between(200, 1500)),
          () => Effect.sync(() => set(0))
        ),
        ` by ${millis} ms each way`
      )
    })

    const halfOpen = onLinks((links) => {
      const cut = random(2) === 0
      return Effect.as(
        Effect.acquireUseRelease(
          Effect.sync(() => {
            for (const link of links) link.hold(true)
          }),
          () => Effect.sleep(random(3) === 0 ? between(1000, 5000) : between(50, 1000)),
          () =>
            Effect.sync(() => {
              for (const link of links) {
                if (cut) link.cut()
                else link.hold(false)
              }
            })
        ),
        cut ? ", then cut" : ", then all delivered late"
      )
    })

    const cutAt = (moment: Moment) =>
      onLinks((links) =>
        Effect.sync(() => {
          for (const link of links) link.cutAt(moment)
          return ""
        })
      )

    const serverPaused = Effect.gen(function*() {
      const server = pick(yield* setup.primaries)
      // Replicas take over from a primary that is silent for longer; and one that wakes up then is not in these runs.
      const long = topology === "standalone" ? 2000 : 800
      const millis = random(3) === 0 ? between(300, long) : between(20, 300)
      yield* Effect.acquireUseRelease(
        server.pause,
        () => Effect.sleep(millis),
        () => server.resume
      )
      return { detail: `on port ${server.port}` }
    })

    const serverRestarted = Effect.gen(function*() {
      const server = pick(yield* setup.primaries)
      yield* server.stop
      yield* Effect.sleep(random(2) === 0 ? 0 : between(10, 1500))
      yield* server.start
      return { detail: `on port ${server.port}` }
    })

    const resharded = Effect.orElseSucceed(
      Effect.as(setup.reshard?.(pick) ?? Effect.void, { detail: "to another primary" }),
      () => undefined
    )

    const failedOver = network.withPermits(100)(
      Effect.gen(function*() {
        const failover = yield* setup.planFailover!(pick)
        const { detail, kept } = failover
        const millis = yield* failover.run
        const end = endMicros()
        faults.push({ kind: "failover", start: end - millis * 1000, end, detail, lost: kept })
        yield* failover.revive
      })
    )

    const make: Record<FaultKind, Effect.Effect<void, RedisServerError>> = {
      kill: dated("kill", killed),
      pause: dated("pause", frozen),
      evict: dated("evict", evict),
      "script-flush": dated("script-flush", Effect.as(withPrimaries(["SCRIPT", "FLUSH"]), { detail: "" })),
      delay: dated("delay", delayed),
      "cut-request": dated("cut-request", cutAt("request")),
      "cut-half": dated("cut-half", cutAt("half")),
      "cut-reply": dated("cut-reply", cutAt("reply")),
      "half-open": dated("half-open", halfOpen),
      "server-pause": dated("server-pause", serverPaused),
      "server-restart": dated("server-restart", serverRestarted),
      reshard: dated("reshard", resharded),
      failover: failedOver
    }

    const end = performance.now() + options.millis
    /**
     * One hand: these kinds in an order that changes each time it has gone through them, with a pause between two. In
     * it the processes come back to the store: away from it they have little to get wrong.
     */
    const hand = (kinds: ReadonlyArray<FaultKind>, from: number, to: number) => {
      const wanted = kinds.filter((kind) => options.faults.includes(kind))
      if (wanted.length === 0) return Effect.void
      let left: Array<FaultKind> = []
      const next = (): FaultKind => {
        if (left.length === 0) left = [...wanted]
        return left.splice(random(left.length), 1)[0]!
      }
      const round: Effect.Effect<void, RedisServerError> = Effect.suspend(() =>
        performance.now() >= end
          ? Effect.void
          : Effect.sleep(between(from, to)).pipe(
              Effect.andThen(Effect.suspend(() => make[next()])),
              Effect.andThen(round)
            )
      )
      return round
    }
    const cuts: ReadonlyArray<FaultKind> = ["cut-request", "cut-half", "cut-half", "cut-reply", "cut-reply"]
    yield* Effect.all(
      [
        hand([...new Array<FaultKind>(9).fill("evict"), "script-flush"], 20, 200),
        hand(["delay", "delay", "half-open", ...cuts], 500, 2500),
        hand(["kill", "pause", "pause"], 2000, 6000),
        hand(["server-pause", "server-pause", "server-restart", "reshard", "reshard", "failover"], 3000, 8000)
      ],
      { concurrency: "unbounded", discard: true }
    )
    return faults
  })
