/**
 * Makes trouble: several hands at once, each with its own kinds of faults, at random by a seed.
 */
import { Effect, Schedule, Semaphore } from "effect"
import type { Redis } from "ioredis"
import { generator } from "../../test/support/random.ts"
import type { Link, Moment } from "../../test/support/proxy.ts"
import type { RedisServerError, RunningRedis } from "../../test/support/redisServer.ts"
import type { Fault } from "./checker.ts"
import type { Elsewhere } from "./elsewhere.ts"
import type { Processes } from "./processes.ts"
import { operate, type Setup, type Topology } from "./setup.ts"
import { amidst, endMicros, keys, redisNames, startMicros, tags } from "./world.ts"

/** What each kind of fault is, for the table at the end. */
export const faultKinds = {
  kill: "processes killed (SIGKILL) and replaced",
  pause: "processes paused (SIGSTOP)",
  hang: "processes stopped in a load or write for longer than a lease",
  evict: "keys of ours evicted",
  "script-flush": "script caches flushed",
  delay: "connections delayed",
  "cut-request": "connections cut before a request was delivered",
  "cut-half": "connections cut with a request half delivered",
  "cut-reply": "connections cut before a reply was delivered",
  "half-open": "connections half open",
  "server-pause": "servers paused (SIGSTOP)",
  "server-restart": "servers restarted, empty",
  full: "servers full (maxmemory, each policy)",
  select: "clients refused their database on a reconnect",
  reshard: "slots moved",
  failover: "primaries killed and failed over"
} as const
export type FaultKind = keyof typeof faultKinds

/** The faults that a topology can suffer. A restarted primary that is empty is nothing replicas survive. */
export const faultsOf = (topology: Topology): ReadonlyArray<FaultKind> =>
  (Object.keys(faultKinds) as Array<FaultKind>).filter((kind) => {
    switch (kind) {
      case "select":
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
  /** What is not to be touched while clients are refused their database. */
  readonly elsewhere: Elsewhere | undefined
}

const policies = ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"].flatMap((policy) => [
  policy,
  policy === "volatile-ttl" ? "noeviction" : policy.replace("volatile", "allkeys")
])

const outOfMemory = async (redis: Redis): Promise<number> =>
  Number(/^errorstat_OOM:count=(\d+)/m.exec(await redis.info("errorstats"))?.[1] ?? 0)

/** What a fault says of itself when it is over. */
type Told = Pick<Fault, "detail"> & Partial<Fault>

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
    // Whether another database was touched can only be seen while nothing else empties it.
    const contents = yield* Semaphore.make(1)

    /** Dates a fault. One that did nothing is none. */
    const dated = (kind: FaultKind, fault: Effect.Effect<Told | undefined, RedisServerError>) =>
      Effect.suspend(() => {
        const start = startMicros()
        return Effect.map(fault, (told) => {
          if (told !== undefined) faults.push({ kind, start, end: endMicros(), ...told })
        })
      })

    const onAll = <A>(servers: ReadonlyArray<RunningRedis>, otherwise: A, use: (redis: Redis) => Promise<A>) =>
      Effect.forEach(
        servers,
        // A server that is away, or does not have the slot, has nothing to lose.
        (server) => Effect.orElseSucceed(operate(server, setup.db, use), () => otherwise),
        { concurrency: "unbounded" }
      )
    const onPrimaries = <A>(otherwise: A, use: (redis: Redis) => Promise<A>) =>
      Effect.flatMap(setup.primaries, (servers) => onAll(servers, otherwise, use))

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
      return Effect.map(
        onPrimaries(0, (redis) => redis.unlink(name)),
        (removed) => (removed.includes(1) ? { detail: name } : undefined)
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

    const hung = Effect.suspend(() => {
      const seat = pick(processes.seats)
      const name = seat.name()
      const where = pick(amidst)
      return Effect.map(seat.hang(where, between(600, 2500)), (stopped) =>
        stopped === undefined
          ? undefined
          : { detail: `${name}, in a ${where} of ${stopped.key}`, paused: name, start: stopped.at }
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

    const serverRestarted = contents.withPermits(1)(
      Effect.gen(function*() {
        const server = pick(yield* setup.primaries)
        yield* server.stop
        yield* Effect.sleep(random(2) === 0 ? 0 : between(10, 1500))
        yield* server.start
        return { detail: `on port ${server.port}` }
      })
    )

    /** As full as can be, or so that it is full now and then. */
    const filled = contents.withPermits(1)(
      Effect.gen(function*() {
        const all = yield* setup.primaries
        const servers = random(2) === 0 ? all : [pick(all)]
        const policy = random(3) === 0 ? "noeviction" : pick(policies)
        const spare = random(3) === 0 ? between(-20_000, 20_000) : undefined
        const count = Effect.map(onAll(servers, 0, outOfMemory), (counts) => counts.reduce((a, b) => a + b, 0))
        const before = yield* count
        yield* Effect.acquireUseRelease(
          onAll(servers, undefined, async (redis) => {
            const used = Number(/^used_memory:(\d+)/m.exec(await redis.info("memory"))?.[1])
            await redis.config("SET", "maxmemory-policy", policy)
            await redis.config("SET", "maxmemory", spare === undefined ? 1 : used + spare)
          }),
          () => Effect.sleep(between(200, 1500)),
          () => onAll(servers, undefined, async (redis) => void (await redis.config("SET", "maxmemory", 0)))
        )
        const refused = (yield* count) - before
        const extent = spare === undefined ? "with room for nothing" : "with little room"
        return { detail: `${servers.length}, ${policy}, ${extent}; ${refused} refusals`, refused }
      })
    )

    const selectRefused = contents.withPermits(1)(
      Effect.gen(function*() {
        const { allowSelect, refusals } = setup.access!
        const { plant, touched } = options.elsewhere!
        yield* plant
        const before = yield* refusals
        yield* Effect.acquireUseRelease(
          allowSelect(false),
          () =>
            Effect.suspend(() => {
              const links = setup.proxies.flatMap((proxy) => proxy.links())
              const some = links.length > 8 && random(3) === 0
              for (const link of links) if (!some || random(2) === 0) link.cut()
              return Effect.sleep(between(300, 1500))
            }),
          // Without it nobody would come back.
          () => Effect.orDie(Effect.retry(allowSelect(true), Schedule.spaced(100).pipe(Schedule.upTo({ times: 50 }))))
        )
        const refused = (yield* refusals) - before
        // Who is in the wrong place stays there.
        yield* Effect.sleep(200)
        return { detail: `${refused} times`, refused, touched: yield* touched }
      })
    )

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
      hang: dated("hang", hung),
      evict: dated("evict", evict),
      "script-flush": dated(
        "script-flush",
        Effect.as(
          onPrimaries(undefined, async (redis) => void (await redis.script("FLUSH"))),
          { detail: "" }
        )
      ),
      delay: dated("delay", delayed),
      "cut-request": dated("cut-request", cutAt("request")),
      "cut-half": dated("cut-half", cutAt("half")),
      "cut-reply": dated("cut-reply", cutAt("reply")),
      "half-open": dated("half-open", halfOpen),
      "server-pause": dated("server-pause", serverPaused),
      "server-restart": dated("server-restart", serverRestarted),
      full: dated("full", filled),
      select: dated("select", selectRefused),
      reshard: dated("reshard", resharded),
      failover: failedOver
    }

    const end = performance.now() + options.millis
    /**
     * One hand: these kinds in an order that changes each time it has gone through them, with a pause between two, a shorter
     * one before the first. In it the processes come back to the store: away from it they have little to get wrong.
     */
    const hand = (kinds: ReadonlyArray<FaultKind>, from: number, to: number) => {
      const wanted = kinds.filter((kind) => options.faults.includes(kind))
      if (wanted.length === 0) return Effect.void
      let left: Array<FaultKind> = []
      const next = (): FaultKind => {
        if (left.length === 0) left = [...wanted]
        return left.splice(random(left.length), 1)[0]!
      }
      const round = (pause: number): Effect.Effect<void, RedisServerError> =>
        Effect.suspend(() =>
          performance.now() >= end
            ? Effect.void
            : Effect.sleep(pause).pipe(
                Effect.andThen(Effect.suspend(() => make[next()])),
                Effect.andThen(Effect.suspend(() => round(between(from, to))))
              )
        )
      return round(random(from))
    }
    const cuts: ReadonlyArray<FaultKind> = ["cut-request", "cut-half", "cut-half", "cut-reply", "cut-reply"]
    yield* Effect.all(
      [
        hand([...new Array<FaultKind>(9).fill("evict"), "script-flush"], 20, 200),
        hand(["delay", "delay", "half-open", ...cuts], 500, 2500),
        hand(["kill", "pause", "pause", "hang", "hang", "hang"], 1000, 4000),
        hand(["server-pause", "server-restart", "full", "full", "reshard", "failover"], 3000, 8000),
        hand(["select"], 8000, 20_000)
      ],
      { concurrency: "unbounded", discard: true }
    )
    return faults
  })
