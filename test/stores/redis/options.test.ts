/**
 * How the three modes are named: options, URLs, and what belongs to another mode.
 */
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Cluster } from "ioredis"
import { type RedisOptions, resolve } from "../../../src/stores/redis/options/options.ts"

const at = (host: string, port: number) => ({ host, port })

describe("modes", () => {
  it.effect("from a URL or from single options", () =>
    Effect.gen(function*() {
      const cluster = yield* resolve({ url: "rediss+cluster://app:p%40ss,x@a:1,b,[::1]:3/" })
      assert.deepStrictEqual(cluster.target, { mode: "cluster", seeds: [at("a", 1), at("b", 6379), at("::1", 3)] })
      assert.deepStrictEqual(cluster.tls, {})
      assert.strictEqual(cluster.username, "app")
      assert.strictEqual(cluster.password && Redacted.value(cluster.password), "p@ss,x")

      const sentinel = yield* resolve({ url: "redis+sentinel://:pw@a,b:2/my%20main/5", sentinelPassword: "s" })
      assert.deepInclude(sentinel.target, {
        mode: "sentinel",
        sentinels: [at("a", 26_379), at("b", 2)],
        primaryName: "my main"
      })
      assert.strictEqual(sentinel.db, 5)

      const options = yield* resolve({
        mode: "sentinel",
        nodes: ["s:1"],
        primaryName: "main",
        natMap: { "10.0.0.1:6379": "localhost:7000" }
      })
      assert.deepInclude(options.target, { mode: "sentinel", sentinels: [at("s", 1)], primaryName: "main" })
      assert.deepStrictEqual([...options.natMap], [["10.0.0.1:6379", at("localhost", 7000)]])
      assert.deepStrictEqual((yield* resolve({ mode: "cluster", url: "redis://a:7000" })).target, {
        mode: "cluster",
        seeds: [at("a", 7000)]
      })
      assert.deepStrictEqual((yield* resolve({ durability: { replicas: 1 } })).durability, {
        replicas: 1,
        timeoutMillis: 1000
      })
    })
  )

  const refused: ReadonlyArray<readonly [RedisOptions, string]> = [
    [{ url: "redis+cluster://u:hush@" }, "url"],
    [{ url: "redis+cluster://u:hush@a,,b" }, "url"],
    [{ url: "redis+cluster://u:hush@a:99999" }, "url"],
    [{ url: "redis+cluster://u:hush@a/x" }, "url"],
    [{ url: "redis+cluster://u:hush@a/1" }, "db"],
    [{ url: "redis+sentinel://u:hush@a,b" }, "url"],
    [{ url: "redis+sentinel://u:hush@a/main/x" }, "url"],
    [{ url: "redis+sentinel://u:hush@a/%zz" }, "url"],
    [{ url: "redis+other://u:hush@a" }, "url"],
    [{ url: "redis://u:hush@a,b" }, "url"],
    [{ mode: "sharded" as "cluster" }, "mode"],
    [{ mode: "sentinel", url: "redis+cluster://u:hush@a" }, "mode"],
    [{ mode: "standalone", url: "redis+cluster://u:hush@a" }, "mode"],
    [{ mode: "cluster" }, "nodes"],
    [{ mode: "cluster", nodes: [] }, "nodes"],
    [{ mode: "cluster", nodes: ["redis://u:hush@a"] }, "nodes"],
    [{ mode: "cluster", nodes: ["a"], host: "b" }, "host"],
    [{ mode: "cluster", nodes: ["a"], db: 1 }, "db"],
    [{ mode: "cluster", nodes: ["a"], primaryName: "main" }, "primaryName"],
    [{ mode: "sentinel", nodes: ["a"] }, "primaryName"],
    [{ mode: "sentinel", nodes: ["a"], primaryName: "main", port: 1 }, "port"],
    [{ nodes: ["a"] }, "nodes"],
    [{ natMap: { a: "b" } }, "natMap"],
    [{ mode: "cluster", nodes: ["a"], natMap: { "a:1": "u:hush@b" } }, "natMap"],
    [{ sentinelPassword: "hush" }, "sentinelPassword"],
    [{ durability: { replicas: 0 } }, "durability.replicas"],
    [{ durability: { replicas: 1, timeout: 0 } }, "durability.timeout"]
  ]
  it.effect.each(refused)("%j is refused", ([options, option]) =>
    Effect.gen(function*() {
      const { reason } = yield* Effect.flip(resolve(options))
      assert.strictEqual(reason._tag, "InvalidOption")
      if (reason._tag === "InvalidOption") assert.strictEqual(reason.option, option)
      assert.notInclude(inspect(reason, { depth: 10 }), "hush")
    })
  )

  it.effect("a Cluster of ioredis is not a client", () =>
    Effect.gen(function*() {
      const cluster = new Cluster([], { lazyConnect: true })
      const { message } = yield* Effect.flip(resolve({ client: cluster as never }))
      assert.include(message, 'use mode "cluster"')
    })
  )
})
