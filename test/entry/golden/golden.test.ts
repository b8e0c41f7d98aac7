/**
 * What releases have written, read by the code of today. During a deploy two releases share a namespace: `docs/versioning.md`
 * says what each may expect of the other.
 *
 * **On a new format of entries**: give it the next number (`VERSION` in `src/entry/layout.ts`; there are two bits for it). Leave
 * the files of released formats as they are, they are what programs out there hold. Add `entry-v<number>.ts` with the same
 * cases and put it behind the others in `formats`. An older one that is read no more stays in the list with `read: false`: it
 * must be a miss. Say it in `CHANGELOG.md` and `docs/versioning.md`.
 *
 * **On new names or texts in Redis**: add `redis-<release>.ts` from a real server, and let it run through the same tests.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Schema } from "effect"
import { cacheAside, CacheClient, invalidateTags, LockManager } from "effect-cache"
import { CacheRedis } from "effect-cache/redis"
import { decode, encode, open } from "../../../src/CacheEntry.ts"
import { normalizeKey } from "../../../src/CacheKey.ts"
import { FLAGS_OFFSET } from "../../../src/entry/layout.ts"
import { nodeCompressor } from "../../../src/platform/nodeCompressor.ts"
import { makeNames } from "../../../src/stores/redis/commands.ts"
import { adminOf, buildClient, sharedRedis } from "../../support/client.ts"
import { type Golden, goldens as version2 } from "./entry-v2.ts"
import { entries, pendingText, strings } from "./redis-0.1.0.ts"

interface Format {
  readonly version: number
  readonly release: string
  readonly goldens: ReadonlyArray<Golden>
  /** Whether entries of this format are still hits. If not, they must be misses. */
  readonly read: boolean
}

const formats: ReadonlyArray<Format> = [{ version: 2, release: "0.1.0", goldens: version2, read: true }]

const compressor = nodeCompressor({ threshold: 8192 })
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"))
const versionOf = (bytes: Uint8Array) => bytes[FLAGS_OFFSET]! >> 6

describe("entries of released formats", () => {
  it("the format that is written is the last of the list: see the head of this file", () => {
    const header = { born: 0, createdAt: 0, freshUntil: 0, loadMillis: 0, fingerprint: "", tags: [] }
    assert.strictEqual(formats.at(-1)?.version, versionOf(encode(header, 1, undefined)))
  })

  for (const { goldens, read, release, version } of formats) {
    for (const { entry, hex, name } of goldens) {
      it(`${release}, format ${version}: ${name}`, () => {
        const bytes = bytesOf(hex)
        assert.strictEqual(versionOf(bytes), version)
        assert.deepStrictEqual(decode(bytes, compressor), read ? entry : undefined)
      })
    }
  }

  it("a format that is not known is a miss, whatever comes behind its number", () => {
    const known = new Set(formats.map(({ version }) => version))
    for (const { hex } of formats.flatMap(({ goldens }) => goldens)) {
      for (let version = 0; version < 4; version++) {
        if (known.has(version)) continue
        const bytes = bytesOf(hex)
        bytes[FLAGS_OFFSET] = (bytes[FLAGS_OFFSET]! & 0b111111) | (version << 6)
        assert.isUndefined(open(bytes), `${version}`)
      }
    }
  })
})

describe("what 0.1.0 left in Redis", () => {
  it("is under the names of today", () => {
    const names = makeNames("ec")
    for (const { key, name } of entries) assert.strictEqual(names.entry(normalizeKey(key)), name)
    const tags = ["", "50% é {*}", "added", "tenant:7", "tenant:8", "users"]
    const others = [names.epoch, ...tags.map(names.marker), names.lease("slow:1"), names.lock("job:{1}")]
    assert.deepStrictEqual([...others, names.fence("job:{1}")].sort(), Object.keys(strings).sort())
  })

  const server = sharedRedis()
  /** The namespace as it was found, and a process of today. */
  const planted = Effect.gen(function*() {
    const running = yield* server
    const admin = yield* adminOf(running)
    yield* Effect.promise(async () => {
      await admin.flushall()
      for (const [name, text] of Object.entries(strings)) await admin.set(name, text, "PX", 3_600_000)
      for (const { hex, name } of entries) await admin.set(name, Buffer.from(hex, "hex"), "PX", 3_600_000)
    })
    const { run } = yield* buildClient(CacheRedis.layer({ url: running.url }))
    return { admin, run }
  })

  const User = Schema.Struct({ id: Schema.String, name: Schema.String })
  const get = <A>(key: string, schema: Schema.Codec<A, unknown>) => CacheClient.use((cache) => cache.get(key, schema))

  it.live("is read: entries that are valid are hits, those whose tags were invalidated are not", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { run } = yield* planted
        const found = yield* run(
          Effect.all({
            list: get("list", Schema.Array(Schema.Number)),
            nothing: get("nothing", Schema.UndefinedOr(Schema.NullOr(Schema.String))),
            long: get("x".repeat(600), Schema.String),
            foreign: get("user:a%3Ab%20%2A%7Bé%7D", User),
            tagged: get("tagged:8", User),
            invalidated: get("tagged:7", User),
            tagAdded: get("user:1", User)
          })
        )
        assert.deepStrictEqual(found, {
          list: Option.some(Array.from({ length: 6000 }, (_, i) => i % 10)),
          nothing: Option.some(undefined),
          long: Option.some("long"),
          foreign: Option.some({ id: "a:b *{é}", name: "Ada" }),
          tagged: Option.some({ id: "8", name: "Grace" }),
          invalidated: Option.none(),
          tagAdded: Option.none()
        })
      })
    )
  )

  it.live("counts: its markers and its epoch go on", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { admin, run } = yield* planted
        yield* run(invalidateTags(["tenant:8"]))
        assert.isTrue(Option.isNone(yield* run(get("tagged:8", User))))
        const [epoch, marker] = yield* Effect.promise(() => admin.mget("ec:epoch", "ec:t:tenant:8"))
        assert.isAbove(Number(epoch), Number(strings["ec:epoch"]))
        assert.strictEqual(marker, epoch)
      })
    )
  )

  it.live("holds: its lease keeps others from storing, and its lock from being taken", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { admin, run } = yield* planted
        const slow = cacheAside({ key: "slow:{id}", schema: User, ttl: "1 hour" })(({ id }: { readonly id: string }) =>
          Effect.succeed({ id, name: "Ada" })
        )
        assert.deepStrictEqual(yield* run(slow({ id: "1" })), { id: "1", name: "Ada" })
        assert.deepStrictEqual(yield* Effect.promise(() => admin.mget("ec:e:{slow:1}", "ec:l:{slow:1}")), [
          null,
          strings["ec:l:{slow:1}"]!
        ])
        const lock = LockManager.use((locks) =>
          locks.withLock("job:{1}", { wait: 0 })(({ fence }) => Effect.succeed(fence))
        )
        const refused = yield* Effect.exit(run(lock))
        assert.isTrue(Exit.isFailure(refused) && Cause.pretty(refused.cause).includes("WaitTimeout"))
        yield* Effect.promise(() => admin.del("ec:lock:{job:%#`<1%#`^}"))
        assert.isAbove(yield* run(lock), Number(strings["ec:fence:{job:%#`<1%#`^}"]))
      })
    )
  )

  it.live("a marker that it did not finish is a miss, and is finished by the next load", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { admin, run } = yield* planted
        yield* Effect.promise(() => admin.set("ec:t:users", pendingText, "PX", 3_600_000))
        assert.isTrue(Option.isNone(yield* run(get("tagged:8", User))))
        let loads = 0
        const load = cacheAside({ key: "new", schema: Schema.Number, ttl: "1 hour", tags: ["users"] })(
          Effect.sync(() => ++loads)
        )
        yield* run(load)
        // The second step of a new marker is behind the load that made it, and before what its client sends next.
        assert.strictEqual(yield* run(load), 1)
        assert.match(String(yield* Effect.promise(() => admin.get("ec:t:users"))), /^\d+$/)
      })
    )
  )
})
