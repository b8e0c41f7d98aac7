/**
 * A real Redis Cluster for tests: primaries and replicas on free ports, gone when the scope closes.
 */
import assert from "node:assert/strict"
import { Effect, Random, type Scope } from "effect"
import type { Redis } from "ioredis"
import { delay } from "./programs.ts"
import { attempt, RedisServerError } from "./redisServer.ts"
import {
  type Connect,
  connections,
  eventually,
  loginOf,
  roleOf,
  session,
  startServer,
  type TopologyOptions,
  type TopologyServer
} from "./topology.ts"

export interface RedisClusterOptions extends TopologyOptions {
  /** Default 3. */
  readonly primaries?: number | undefined
  /** Replicas of each primary. Default 1. */
  readonly replicas?: number | undefined
  /** Primaries without slots, the last of the nodes: as when a node was just added. Default 0. */
  readonly spares?: number | undefined
  /** How long a node may be silent before the others think it dead. Default 1000. */
  readonly nodeTimeoutMillis?: number | undefined
}

export interface ClusterNode extends TopologyServer {
  /** Its name among the nodes. */
  readonly id: string
}

export interface ReshardOptions {
  /** By default a primary chosen at random. */
  readonly from?: ClusterNode | undefined
  /** By default another primary, chosen at random. */
  readonly to?: ClusterNode | undefined
  /** How many slots of `from`, or which slots wherever they are. Default 100. */
  readonly slots?: ReadonlyArray<number> | number | undefined
  /** A pause between the steps of each slot. Default 0. */
  readonly pauseMillis?: number | undefined
}

export interface RunningCluster {
  /** `redis+cluster://127.0.0.1:p1,127.0.0.1:p2,...`: the ports that clients use, of all nodes. */
  readonly url: string
  readonly nodes: ReadonlyArray<ClusterNode>
  /** Nodes that serve slots as primaries now, as the majority of the nodes that answer say. */
  readonly primaries: Effect.Effect<ReadonlyArray<ClusterNode>, RedisServerError>
  readonly replicasOf: (node: ClusterNode) => Effect.Effect<ReadonlyArray<ClusterNode>, RedisServerError>
  /** The primary that serves the slot of a Redis key. */
  readonly primaryOf: (redisKey: string) => Effect.Effect<ClusterNode, RedisServerError>
  /** Moves slots from one primary to another, key by key, as `redis-cli` does. A slot that was begun is finished. */
  readonly reshard: (options?: ReshardOptions) => Effect.Effect<void, RedisServerError>
  /** Opens the migration of a slot and leaves it there, no key moved. Gives the effect that finishes it. */
  readonly openMigration: (
    slot: number,
    to: ClusterNode
  ) => Effect.Effect<Effect.Effect<void, RedisServerError>, RedisServerError>
  /** Kills a primary and waits until all nodes that are alive see a replica of it in its place. */
  readonly failover: (
    node: ClusterNode
  ) => Effect.Effect<{ readonly promoted: ClusterNode; readonly millis: number }, RedisServerError>
  /** Starts a killed node again and waits until it follows as a replica in sync. */
  readonly revive: (node: ClusterNode) => Effect.Effect<void, RedisServerError>
  /** Waits until the nodes that run agree, see no failure, and every replica is linked to its primary. */
  readonly healthy: Effect.Effect<void, RedisServerError>
}

const slotCount = 16_384

/** What one node says of another. */
interface Report {
  readonly flags: ReadonlyArray<string>
  readonly primaryId: string
  readonly linked: boolean
  /** Slots that are served, first and last. Open migrations are not listed. */
  readonly ranges: ReadonlyArray<readonly [first: number, last: number]>
}

/** All that one node says, by node. */
type View = ReadonlyMap<string, Report>

/** `CLUSTER NODES`: `id address flags primary ping pong epoch link slot slot ...`. */
const parseView = (text: string): View =>
  new Map(
    text
      .trim()
      .split("\n")
      .map((line): [string, Report] => {
        const [id = "", , flags = "", primaryId = "", , , , link, ...slots] = line.split(" ")
        const ranges = slots
          .filter((slot) => !slot.startsWith("["))
          .map((slot) => slot.split("-").map(Number))
          .map(([first = 0, last = first]) => [first, last] as const)
        return [id, { flags: flags.split(","), primaryId, linked: link === "connected", ranges }]
      })
  )

const flagged = (report: Report | undefined, flag: string): boolean =>
  report?.flags.includes(flag) === true && !report.flags.includes("fail")

const leads = (view: View, node: ClusterNode): boolean =>
  flagged(view.get(node.id), "master") && view.get(node.id)?.ranges.length !== 0

const follows = (view: View, node: ClusterNode, primary: ClusterNode): boolean =>
  flagged(view.get(node.id), "slave") && view.get(node.id)?.primaryId === primary.id

const serves = (view: View, node: ClusterNode, slot: number): boolean =>
  leads(view, node) && view.get(node.id)?.ranges.some(([first, last]) => first <= slot && slot <= last) === true

/** What must be the same in all views: who leads what, who follows whom. */
const digest = (view: View): string =>
  [...view]
    .map(([id, { ranges, primaryId }]) => `${id.slice(0, 6)} ${primaryId.slice(0, 6)} ${ranges.join(" ")}`)
    .sort()
    .join("; ")

const setSlot = async (connect: Connect, on: ClusterNode, slot: number, state: string, other: ClusterNode) =>
  void (await (await connect(on)).call("CLUSTER", "SETSLOT", slot, state, other.id))

/** The target must be ready before the source sends anybody there. */
const openSlot = async (connect: Connect, slot: number, source: ClusterNode, target: ClusterNode) => {
  await setSlot(connect, target, slot, "IMPORTING", source)
  await setSlot(connect, source, slot, "MIGRATING", target)
}

const moveKeys = async (
  redis: Redis,
  slot: number,
  target: ClusterNode,
  auth: ReadonlyArray<string>,
  pause: () => Promise<void>
) => {
  for (;;) {
    const keys = (await redis.callBuffer("CLUSTER", "GETKEYSINSLOT", slot, 100)) as Array<Buffer>
    if (keys.length === 0) return
    for (const key of keys) {
      await redis.call("MIGRATE", target.host, target.port, "", 0, 4000, ...auth, "KEYS", key)
      await pause()
    }
  }
}

const chooseOther = (nodes: ReadonlyArray<ClusterNode>, not: ClusterNode | undefined) =>
  Effect.flatMap(Random.shuffle(nodes.filter((node) => node.id !== not?.id)), ([chosen]) =>
    chosen === undefined
      ? Effect.fail(new RedisServerError({ message: "There is no other primary." }))
      : Effect.succeed(chosen)
  )

const makeCluster = (nodes: ReadonlyArray<ClusterNode>, options: RedisClusterOptions): RunningCluster => {
  const login = loginOf(options)
  const auth = login === undefined ? [] : ["AUTH2", login.username, login.password]
  const alive = () => nodes.filter((node) => node.pid() !== undefined)
  const viewOf = (node: ClusterNode): Promise<View> =>
    session(node, login, async (redis) => parseView(String(await redis.call("CLUSTER", "NODES"))))
  const viewsOfAll = () => Promise.all(alive().map(viewOf))

  /** Asks all nodes that answer; gives whether most of them say so. */
  const poll = async () => {
    const answers = await Promise.allSettled(alive().map(viewOf))
    const views = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []))
    assert.ok(views.length > 0, "No node answers.")
    return (test: (view: View) => boolean) => views.filter(test).length * 2 > views.length
  }
  const findPrimaries = async () => {
    const most = await poll()
    return nodes.filter((node) => most((view) => leads(view, node)))
  }
  const replicasOf: RunningCluster["replicasOf"] = (primary) =>
    attempt(async () => {
      const most = await poll()
      return nodes.filter((node) => most((view) => follows(view, node, primary)))
    })
  const ownerOf = (slot: number) =>
    eventually(`an owner of slot ${slot}`, async () => {
      const most = await poll()
      const owner = nodes.find((node) => most((view) => serves(view, node, slot)))
      assert.ok(owner, "The nodes know of none.")
      return owner
    })

  /** Moves what is left of an open slot, and tells the nodes whose it is: the target first, or nobody might serve it. */
  const closeSlot = async (
    connect: Connect,
    slot: number,
    source: ClusterNode,
    target: ClusterNode,
    pause: () => Promise<void>
  ) => {
    await moveKeys(await connect(source), slot, target, auth, pause)
    await setSlot(connect, target, slot, "NODE", target)
    await pause()
    await setSlot(connect, source, slot, "NODE", target)
    // The others hear of it from these two as well, so one that does not answer, or is a replica, does no harm.
    const others = alive().filter((node) => node.id !== source.id && node.id !== target.id)
    await Promise.allSettled(others.map((node) => setSlot(connect, node, slot, "NODE", target)))
  }

  const reshard = Effect.fnUntraced(function*({ from, to, slots = 100, pauseMillis = 0 }: ReshardOptions = {}) {
    const primaries = yield* attempt(findPrimaries)
    const source = typeof slots === "number" ? (from ?? (yield* chooseOther(primaries, to))) : from
    const target = to ?? (yield* chooseOther(primaries, source))
    const most = yield* attempt(poll)
    const isOf = (node: ClusterNode, slot: number) => most((view) => serves(view, node, slot))
    const wanted = typeof slots === "number" ? Array.from({ length: slotCount }, (_, slot) => slot) : slots
    const moves = wanted.flatMap((slot) =>
      (source === undefined ? primaries : [source])
        .filter((node) => node.id !== target.id && isOf(node, slot))
        .map((node) => ({ slot, source: node }))
    )
    const pause = () => delay(pauseMillis)
    const connect = yield* connections(login)
    yield* Effect.forEach(
      typeof slots === "number" ? moves.slice(0, slots) : moves,
      ({ slot, source }) =>
        Effect.uninterruptible(
          attempt(async () => {
            await openSlot(connect, slot, source, target)
            await pause()
            await closeSlot(connect, slot, source, target, pause)
          })
        ),
      { discard: true }
    )
  }, Effect.scoped)

  const openMigration = Effect.fnUntraced(function*(slot: number, to: ClusterNode) {
    const source = yield* ownerOf(slot)
    if (source.id === to.id) return yield* new RedisServerError({ message: `${to.port} serves slot ${slot} already.` })
    const withConnections = (use: (connect: Connect) => Promise<void>) =>
      Effect.scoped(Effect.flatMap(connections(login), (connect) => attempt(() => use(connect))))
    yield* withConnections((connect) => openSlot(connect, slot, source, to))
    return withConnections((connect) => closeSlot(connect, slot, source, to, async () => {}))
  })

  const failover = Effect.fnUntraced(function*(node: ClusterNode) {
    const heirs = yield* replicasOf(node)
    if (heirs.length === 0) return yield* new RedisServerError({ message: `${node.port} has no replica.` })
    const start = performance.now()
    yield* node.stop
    const promoted = yield* eventually(`a replica of ${node.port} to take its place`, async () => {
      const views = await viewsOfAll()
      const heir = heirs.find((heir) => views.every((view) => leads(view, heir)))
      assert.ok(heir, views.map(digest).join("\n"))
      return heir
    })
    return { promoted, millis: performance.now() - start }
  })

  const revive = (node: ClusterNode) =>
    Effect.andThen(
      node.start,
      eventually(`${node.port} to follow a primary`, async () => {
        const role = await roleOf(node, login)
        assert.ok(role.role === "replica" && role.state === "connected", JSON.stringify(role))
        for (const view of await viewsOfAll()) assert.ok(flagged(view.get(node.id), "slave"), digest(view))
      })
    )

  const healthy = eventually("a healthy cluster", async () => {
    const running = alive()
    const views = await viewsOfAll()
    assert.equal(new Set(views.map(digest)).size, 1, `The views differ:\n${views.map(digest).join("\n")}`)
    for (const node of running) {
      const info = String(await session(node, login, (redis) => redis.call("CLUSTER", "INFO")))
      assert.match(info, /cluster_state:ok/, `${node.port}: ${info}`)
      const role = await roleOf(node, login)
      assert.ok(role.role === "primary" || role.state === "connected", `${node.port}: ${JSON.stringify(role)}`)
      for (const view of views) {
        const report = view.get(node.id)
        const bad = report?.flags.filter((flag) => /fail|handshake|noaddr/.test(flag))
        assert.ok(report?.linked === true && bad?.length === 0, `${node.port}: ${JSON.stringify(report)}`)
      }
    }
  })

  return {
    url: `redis+cluster://${nodes.map((node) => `127.0.0.1:${node.clientPort}`).join(",")}`,
    nodes,
    primaries: attempt(findPrimaries),
    replicasOf,
    primaryOf: (redisKey) =>
      Effect.flatMap(
        // Any node computes it; the first that runs does.
        attempt(() => session(alive()[0] ?? nodes[0]!, login, (redis) => redis.call("CLUSTER", "KEYSLOT", redisKey))),
        (slot) => ownerOf(Number(slot))
      ),
    reshard,
    openMigration,
    failover,
    revive,
    healthy
  }
}

/** Introduces everyone to everyone: by gossip alone it takes seconds. */
const introduce = (nodes: ReadonlyArray<ClusterNode>, options: TopologyOptions) =>
  attempt(() =>
    Promise.all(
      nodes.map((node, index) =>
        session(node, loginOf(options), async (redis) => {
          for (const other of nodes.slice(index + 1)) {
            await redis.call("CLUSTER", "MEET", other.host, other.clientPort, other.busPort!)
          }
        })
      )
    )
  )

const scoped = (options: RedisClusterOptions = {}): Effect.Effect<RunningCluster, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const login = loginOf(options)
    const { primaries = 3, replicas = 1, spares = 0, nodeTimeoutMillis = 1000 } = options
    const members = primaries * (1 + replicas)
    const args = ["--cluster-node-timeout", String(nodeTimeoutMillis), "--cluster-replica-validity-factor", "0"]
    const nodes = yield* Effect.forEach(
      Array.from({ length: members + spares }),
      () =>
        Effect.gen(function*() {
          const server = yield* startServer("cluster", options, [...args, "--cluster-allow-replica-migration", "no"])
          const id = yield* attempt(() => session(server, login, (redis) => redis.call("CLUSTER", "MYID")))
          return { ...server, id: String(id) }
        }),
      { concurrency: "unbounded" }
    )
    const leaders = nodes.slice(0, primaries)
    const first = (index: number) => Math.floor((index * slotCount) / primaries)
    yield* Effect.forEach([...leaders, ...nodes.slice(members)], (node, index) =>
      attempt(() =>
        session(node, login, async (redis) => {
          await redis.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
          if (index >= primaries) return
          await redis.call("CLUSTER", "ADDSLOTSRANGE", first(index), first(index + 1) - 1)
        })
      )
    )
    yield* introduce(nodes, options)
    const cluster = makeCluster(nodes, options)
    yield* eventually("the nodes to know each other", () =>
      Promise.all(
        nodes.map((node) =>
          session(node, login, async (redis) => {
            const view = parseView(String(await redis.call("CLUSTER", "NODES")))
            for (const { id, port } of nodes) {
              const report = view.get(id)
              assert.ok(report !== undefined && !report.flags.includes("handshake"), `${node.port} awaits ${port}`)
            }
          })
        )
      )
    )
    yield* Effect.forEach(nodes.slice(primaries, members), (node, index) =>
      attempt(() => session(node, login, (redis) => redis.call("CLUSTER", "REPLICATE", leaders[index % primaries]!.id)))
    )
    yield* cluster.healthy
    return cluster
  })

export const RedisCluster = { scoped }
