/**
 * Writers that die at each step of a write, and what is read after that of all they have made old.
 */
import { fork } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { type Context, Effect, Layer, type Scope, Semaphore } from "effect"
import { cacheAside, type CacheServices } from "../../src/index.ts"
import { type Dice, diceOf } from "../../test/support/dice.ts"
import { RedisServer, type RedisServerError } from "../../test/support/redisServer.ts"
import { startMicros } from "../histories/world.ts"
import {
  acknowledged,
  type ClientOptions,
  clientLayer,
  committedAt,
  dead,
  lists,
  pages,
  regions,
  stepsFile
} from "./world.ts"
import type { WriterOptions } from "./writer.ts"

export interface KillsOptions extends Omit<ClientOptions, "url"> {
  readonly kills: number
  readonly intent: boolean
  readonly seed: number
  /** How many writers are started at once. */
  readonly starting: number
}

/** A write, and what was seen of it. */
export interface Story {
  readonly id: string
  /** What the writer was about to do when it died; `undefined`: it did not. */
  readonly diedBefore: string | undefined
  readonly slow: boolean
  /** Whether its own row was read meanwhile: who loads that is told of the intent beside it. */
  readonly rowIsRead: boolean
  readonly committed: boolean
  /** For how long after its commit and its death the old version was read, by what was read, in milliseconds. */
  readonly stale: Readonly<Record<Kind, number>>
}

export type Kind = "row" | "lists" | "pages"

export interface KillsResult {
  readonly options: KillsOptions
  readonly stories: ReadonlyArray<Story>
  readonly reads: number
  readonly violations: ReadonlyArray<string>
  readonly problems: ReadonlyArray<string>
}

const pollMillis = 100
/** How long is watched beyond the bound. */
const slackMillis = 1_500

const writerFile = fileURLToPath(new URL("./writer.ts", import.meta.url))
const compileCache = fileURLToPath(new URL("../../.tmp/compile-cache", import.meta.url))

/** Runs a writer until it is gone; what it said. */
const runWriter = (options: WriterOptions): Effect.Effect<ReadonlyArray<string>> =>
  Effect.callback((resume) => {
    const child = fork(writerFile, [JSON.stringify(options)], {
      execArgv: ["--conditions=effect-cache-source"],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    child.once("exit", (code, signal) => {
      const file = stepsFile(options.folder, options.id)
      const steps = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : []
      resume(
        code === 0 || signal === "SIGKILL"
          ? Effect.succeed(steps)
          : Effect.die(new Error(`a writer ended with ${code ?? signal}`))
      )
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const makeReaders = (folder: string, dice: Dice) => {
  // Loads that begin before the commit and end after it are what leaves old values.
  const load = (key: string, id: string) =>
    Effect.gen(function*() {
      yield* Effect.sleep(dice.below(20))
      const version = committedAt(folder, id) === undefined ? 1 : 2
      yield* Effect.sleep(dice.below(dice.chance(0.1) ? 200 : 20))
      return { key, version }
    })
  const row = cacheAside(regions.row)(({ id }: { readonly id: string }) => load(`row:${id}`, id))
  const list = cacheAside(regions.list)(({ id, list }: { readonly id: string; readonly list: string }) =>
    load(`list:${id}:${list}`, id)
  )
  const page = cacheAside(regions.page)(({ id, page }: { readonly id: string; readonly page: string }) =>
    load(`page:${id}:${page}`, id)
  )
  return (id: string, rowIsRead: boolean) => [
    ...(rowIsRead ? [{ kind: "row" as const, read: row({ id }) }] : []),
    ...lists.map((name) => ({ kind: "lists" as const, read: list({ id, list: name }) })),
    ...pages.map((name) => ({ kind: "pages" as const, read: page({ id, page: name }) }))
  ]
}

export const run = (options: KillsOptions): Effect.Effect<KillsResult, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-kills-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const { url } = yield* RedisServer.scoped()
    const { intent, kills, leaseMillis, seed, starting, sweepMillis } = options
    const dice = diceOf(seed)
    const client = { url, leaseMillis, sweepMillis }
    // Two that may sweep, so that they have to agree who does.
    const clients = yield* Effect.forEach([1, 2], () => Effect.orDie(Layer.build(Layer.fresh(clientLayer(client)))))
    const readsOf = makeReaders(folder, dice)
    const permits = yield* Semaphore.make(starting)
    const violations: Array<string> = []
    const boundMillis = leaseMillis + sweepMillis
    let reads = 0
    let ids = 0

    /** Reads all that a write makes old, again and again, until it is interrupted. */
    const watch = (id: string, rowIsRead: boolean, lastStale: Record<Kind, number>, acknowledgedAt: () => number) => {
      const one = (context: Context.Context<CacheServices>, { kind, read }: ReturnType<typeof readsOf>[number]) =>
        Effect.gen(function*() {
          const start = startMicros()
          const committed = committedAt(folder, id)
          const { key, version } = yield* Effect.provideContext(read, context)
          reads++
          if (version === 2) {
            if (committedAt(folder, id) === undefined) violations.push(`${key}: read before it was committed`)
            return
          }
          if (committed === undefined) return
          lastStale[kind] = Math.max(lastStale[kind], start)
          if (start > acknowledgedAt()) violations.push(`${key}: stale after the write was acknowledged`)
        })
      return Effect.gen(function*() {
        for (;;) {
          const context = dice.pick(clients)
          yield* Effect.forEach(readsOf(id, rowIsRead), (read) => one(context, read), {
            concurrency: "unbounded",
            discard: true
          })
          yield* Effect.sleep(dice.below(pollMillis * 2))
        }
      })
    }

    const tell = (slow: boolean, dieAt: number | undefined) =>
      Effect.gen(function*() {
        const id = `${slow ? "slow" : "fast"}${++ids}`
        const rowIsRead = dice.chance(0.5)
        const lastStale = { row: 0, lists: 0, pages: 0 }
        let acknowledgedAt = Infinity
        const writing = Effect.gen(function*() {
          // What is old must be there to be read.
          yield* Effect.forEach(readsOf(id, rowIsRead), ({ read }) => Effect.provideContext(read, clients[0]!))
          const writeMillis = slow ? leaseMillis * 0.6 : dice.below(10)
          const said = yield* permits.withPermit(runWriter({ ...client, folder, id, dieAt, writeMillis, intent }))
          const [last, at] = said.at(-1)!.split(" ")
          if (last === acknowledged) acknowledgedAt = Number(at)
          yield* Effect.sleep(boundMillis + slackMillis)
          return last === dead
            ? { said, diedBefore: said.at(-2)!, end: Number(at) }
            : { said, diedBefore: undefined, end: 0 }
        })
        const { diedBefore, end, said } = yield* Effect.raceFirst(
          writing,
          watch(id, rowIsRead, lastStale, () => acknowledgedAt)
        )
        const committed = committedAt(folder, id)
        const since = Math.max(committed ?? 0, end)
        const staleFor = (kind: Kind) => Math.max(0, (lastStale[kind] - since) / 1000)
        const stale = { row: staleFor("row"), lists: staleFor("lists"), pages: staleFor("pages") }
        const story: Story = { id, diedBefore, slow, rowIsRead, committed: committed !== undefined, stale }
        return { steps: said.length - 1, story }
      }).pipe(Effect.orDie)

    // One of each lives, and says how many steps there are.
    const [fast, slow] = yield* Effect.forEach([false, true], (slow) => tell(slow, undefined), {
      concurrency: "unbounded"
    })
    const stories = [fast!.story, slow!.story]
    const problems: Array<string> = []
    const killed = yield* Effect.forEach(
      Array.from({ length: kills }, (_, i) => i),
      (i) => {
        const isSlow = i % 4 === 3
        const steps = (isSlow ? slow : fast)!.steps
        // Each step in its turn. One that has fewer steps than the first may live: it is told to die sooner.
        const attempt = (dieAt: number): ReturnType<typeof tell> =>
          Effect.flatMap(tell(isSlow, dieAt), (told) =>
            told.story.diedBefore !== undefined || dieAt === 0
              ? Effect.succeed(told)
              : Effect.sync(() => stories.push(told.story)).pipe(Effect.andThen(attempt(dieAt - 1)))
          )
        return attempt((isSlow ? i >> 2 : i - (i >> 2)) % (steps + 1))
      },
      { concurrency: 40 }
    )
    stories.push(...killed.map(({ story }) => story))
    const died = stories.filter(({ diedBefore }) => diedBefore !== undefined).length
    if (died < kills) problems.push(`only ${died} writers died`)
    return { options, stories, reads, violations, problems }
  })
