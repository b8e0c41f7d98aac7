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

  it.effect("hosts of IPv6, in brackets or without where no port follows", () =>
    Effect.gen(function*() {
      for (const host of ["[::1]", "::1"]) {
        for (const port of [6379, 7000]) {
          const { target, tls } = yield* resolve({ host, port, tls: true })
          assert.deepStrictEqual(target, { mode: "standalone", address: at("::1", port) })
          // An address is no server name.
          assert.deepStrictEqual(tls, {})
        }
      }
      const hosts = ["[fe80::1%eth0]", "[::ffff:10.0.0.1]", "[2001:DB8::1]"]
      for (const host of hosts) {
        assert.deepStrictEqual((yield* resolve({ host })).target, {
          mode: "standalone",
          address: at(host.slice(1, -1), 6379)
        })
      }
      assert.deepStrictEqual((yield* resolve({ url: "redis://:pw@[::1]:7000/2" })).target, {
        mode: "standalone",
        address: at("::1", 7000)
      })
      const seeds = [at("::1", 7000), at("2001:db8::1", 6379), at("b", 7001)] as const
      for (const options of [
        { url: "redis+cluster://u:p%40ss@[::1]:7000,[2001:db8::1],b:7001" },
        { mode: "cluster" as const, nodes: ["[::1]:7000", "[2001:db8::1]", "b:7001"] }
      ]) {
        assert.deepStrictEqual((yield* resolve(options)).target, { mode: "cluster", seeds })
      }
      assert.deepStrictEqual((yield* resolve({ url: "redis+sentinel://[::1],[::2]:26380/main" })).target, {
        mode: "sentinel",
        sentinels: [at("::1", 26_379), at("::2", 26_380)],
        primaryName: "main",
        username: undefined,
        password: undefined
      })
      const nat = { mode: "cluster", nodes: ["[::1]"], natMap: { "[fd00::1]:6379": "[::1]:7000" } } as const
      assert.deepStrictEqual([...(yield* resolve(nat)).natMap], [["fd00::1:6379", at("::1", 7000)]])
    })
  )

  it.effect("a URL with a password that is not percent-encoded says so, and shows nothing of it", () =>
    Effect.gen(function*() {
      for (const scheme of ["redis", "rediss", "redis+cluster", "redis+sentinel"]) {
        for (const user of [
          "u:hush/1",
          "u:1/hush",
          "u:hush?",
          "u:#hush",
          ":hush%",
          ":hush%zz",
          "hush:1/",
          "u:hush%ff/"
        ]) {
          const error = yield* Effect.flip(resolve({ url: Redacted.make(`${scheme}://${user}@h:1/main`) }))
          assert.include(error.message, 'percent-encode user and password: "/" is %2F')
          assert.notInclude(inspect(error, { depth: 10 }), "hush")
        }
      }
      const password = "/?#@%[]:, \u00e9"
      for (const [scheme, path] of [
        ["redis", ""],
        ["redis+cluster", ""],
        ["redis+sentinel", "/main"]
      ]) {
        const { password: found } = yield* resolve({ url: `${scheme}://u:${encodeURIComponent(password)}@h${path}` })
        assert.strictEqual(found && Redacted.value(found), password)
      }
    })
  )

  it.effect("an IPv6 address without its brackets is told to have them", () =>
    Effect.gen(function*() {
      for (const url of ["redis://::1", "redis+cluster://a,fe80::1", "redis+sentinel://::1/main"]) {
        assert.include((yield* Effect.flip(resolve({ url }))).message, "put an IPv6 address in brackets")
      }
      const { message } = yield* Effect.flip(resolve({ mode: "cluster", nodes: ["::1"] }))
      assert.include(message, "an IPv6 host in brackets")
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
