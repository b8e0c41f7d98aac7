/**
 * Tenants that choose their names and ids as an attacker would cannot reach each other's entries.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Schema } from "effect"
import {
  buildCacheKey,
  buildCachePattern,
  cacheAside,
  CacheClient,
  CacheMemory,
  invalidateKey,
  invalidatePattern,
  invalidateTags,
  writeThrough
} from "../../src/index.ts"
import { CacheRedis } from "../../src/redis/index.ts"
import { generator } from "../support/random.ts"
import { hostile } from "../support/primitives.ts"
import { buildClient, type Client, freshNamespace, sharedRedis } from "../support/client.ts"

const server = sharedRedis()

const template = "tenant:{tenant}:item:{id}"
type Parts = { readonly tenant: string; readonly id: string }
const region = {
  key: template,
  schema: Schema.String,
  ttl: "5 minutes",
  tags: (_: string, { tenant }: { readonly tenant: unknown }) => [`tenant:${tenant}`]
} as const

/** Fragments that mean something to a template, a pattern, Redis, Lua or the encoding itself. */
const fragments = [
  ...hostile.filter((text) => text.length < 40),
  ":item:",
  "tenant:",
  ":",
  "a",
  "b",
  "1",
  "%3A",
  "%2a",
  "{tenant}",
  "*:item:*"
]

/** Texts made of hostile fragments; often two that differ by little. */
const makeTexts = (seed: number) => {
  const random = generator(seed)
  const text = () => Array.from({ length: random(4) }, () => fragments[random(fragments.length)]!).join("")
  const pair = (): readonly [string, string] => {
    for (;;) {
      const first = text()
      const second = random(2) === 0 ? text() : random(2) === 0 ? first + text() : text() + first
      // Lone surrogates may be put together to one character.
      if (first !== second) return [first, second]
    }
  }
  return { text, pair, random }
}

const property = (client: Client, cases: number) =>
  Effect.gen(function*() {
    const get = cacheAside(region)(({ id, tenant }: Parts) => Effect.succeed(JSON.stringify(["loaded", tenant, id])))
    const set = writeThrough(region)(({ id, tenant }: Parts) => Effect.succeed(JSON.stringify(["written", tenant, id])))
    let checked = 0
    for (let seed = 1; seed <= cases; seed++) {
      const { pair, random, text } = makeTexts(seed)
      const [mine, theirs] = pair()
      const victims = [
        { tenant: mine, id: text() },
        { tenant: mine, id: "1" }
      ]
      const parts: Parts = { tenant: theirs, id: random(3) === 0 ? victims[0]!.id : text() }
      // No two parameter lists give one key.
      for (const victim of victims) {
        assert.notStrictEqual(buildCacheKey(template, { params: victim }), buildCacheKey(template, { params: parts }))
        yield* client.run(get(victim))
      }
      const attacks = [
        client.run(get(parts)),
        client.run(set(parts)),
        client.run(get.refresh(parts)),
        client.run(get.invalidate(parts)),
        client.run(invalidateKey(buildCacheKey(template, { params: parts }))),
        client.run(invalidatePattern(buildCachePattern(template, { params: { tenant: theirs } }))),
        client.run(invalidatePattern(buildCachePattern(template, { params: parts }))),
        client.run(invalidateTags([`tenant:${theirs}`])),
        client.run(
          CacheClient.use((cache) => cache.tag(buildCacheKey(template, { params: parts }), [`tenant:${mine}`]))
        )
      ]
      const attack = random(attacks.length)
      const exit = yield* Effect.exit(attacks[attack]! as Effect.Effect<unknown, unknown>)
      assert.isTrue(Exit.isSuccess(exit), `seed ${seed}: attack ${attack}`)
      // What they read is theirs, and what was there is there.
      const read = yield* client.run(get(parts))
      assert.deepStrictEqual(
        JSON.parse(read).slice(1),
        JSON.parse(JSON.stringify([parts.tenant, parts.id])),
        `seed ${seed}`
      )
      for (const victim of victims) {
        assert.deepStrictEqual(
          yield* client.run(get.peek(victim)),
          Option.some(JSON.stringify(["loaded", victim.tenant, victim.id])),
          `seed ${seed}: attack ${attack} of ${JSON.stringify(parts)} on ${JSON.stringify(victim)}`
        )
        checked++
      }
      // Each own tag and pattern reaches all that is one's own, and in the end nothing is left for the next case.
      yield* client.run(
        random(2) === 0
          ? invalidateTags([`tenant:${mine}`])
          : invalidatePattern(buildCachePattern(template, { params: { tenant: mine } }))
      )
      for (const victim of victims)
        assert.deepStrictEqual(yield* client.run(get.peek(victim)), Option.none(), `seed ${seed}`)
      yield* client.run(invalidatePattern("tenant:*"))
    }
    return checked
  })

describe("tenants", () => {
  it.live(
    "in memory",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const client = yield* buildClient(CacheMemory.layer())
          const checked = yield* property(client, 3000)
          console.log(`in memory, ${checked} entries unharmed by hostile neighbours`)
        })
      ),
    60_000
  )

  it.live(
    "on Redis",
    () =>
      Effect.scoped(
        Effect.gen(function*() {
          const { url } = yield* server
          const client = yield* buildClient(
            CacheRedis.layer({ url, namespace: freshNamespace(), timeout: "10 seconds" })
          )
          const checked = yield* property(client, 500)
          console.log(`on Redis, ${checked} entries unharmed by hostile neighbours`)
        })
      ),
    60_000
  )

  it.live("two namespaces on one Redis", () =>
    Effect.scoped(
      Effect.gen(function*() {
        const { url } = yield* server
        const names = ["n", "n:e", "n:l", "n:x", "nn", "n:epoch", "n:lock", "n-"]
        const get = cacheAside(region)((parts: Parts) => Effect.succeed(parts.id))
        const parts = hostile.slice(0, 12).map((text) => ({ tenant: text, id: "1" }))
        const clients = yield* Effect.forEach(names, (namespace) => buildClient(CacheRedis.layer({ url, namespace })))
        for (const attacker of clients) {
          for (const client of clients) for (const part of parts) yield* client.run(get(part))
          yield* attacker.run(invalidatePattern("*"))
          yield* attacker.run(invalidateTags(parts.map(({ tenant }) => `tenant:${tenant}`)))
          yield* attacker.run(CacheClient.use((cache) => cache.clear))
          for (const client of clients) {
            for (const part of parts) {
              assert.strictEqual(Option.isSome(yield* client.run(get.peek(part))), client !== attacker)
            }
          }
        }
      })
    )
  )
})
