import { assert, describe, it } from "@effect/vitest"
import { S3Fifo } from "../../src/internal/s3fifo.ts"

const ever = Number.POSITIVE_INFINITY

const make = (maxEntries: number, maxWeight: number = ever) => {
  const left: Array<string> = []
  const cache = new S3Fifo<string>({ maxEntries, maxWeight, onLeave: (value) => left.push(value) })
  const put = (key: string, weight = 1, expiresAt = ever, now = 0) => cache.set(key, key, weight, expiresAt, now)
  const has = (key: string) => cache.peek(key, 0) !== undefined
  return { cache, left, put, has }
}

/** A small generator, so that the figures below are the same on every run. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
  const x = Math.imul(seed ^ (seed >>> 12), 0x297a2d39)
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
}

describe("S3Fifo", () => {
  it("a scan does not push out what is read again", () => {
    const { cache, has, put } = make(100)
    for (let i = 0; i < 50; i++) put(`hot${i}`)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 50; i++) cache.get(`hot${i}`, 0)
    }
    for (let i = 0; i < 10_000; i++) put(`scan${i}`)
    assert.isTrue(Array.from({ length: 50 }, (_, i) => has(`hot${i}`)).every(Boolean))
    assert.strictEqual(cache.nodes.size, 100)
  })

  it("one read is not enough to stay, and a second coming goes to main", () => {
    const { cache, has, put } = make(20)
    put("once")
    cache.get("once", 0)
    for (let i = 0; i < 20; i++) put(`a${i}`)
    assert.isFalse(has("once"))
    put("once")
    for (let i = 0; i < 200; i++) put(`b${i}`)
    assert.isTrue(has("once"))
  })

  it("reaches the hit ratio of the policy on skewed requests, far above one FIFO", () => {
    const next = random(7)
    const { cache, put } = make(500)
    const fifo = new Set<string>()
    let hits = 0
    let fifoHits = 0
    for (let i = 0; i < 200_000; i++) {
      // Half of the requests to a few keys, the other half to keys that hardly come again.
      const key = next() < 0.5 ? `hot${Math.floor(next() * 400)}` : `cold${Math.floor(next() * 1_000_000)}`
      if (cache.get(key, 0) !== undefined) hits++
      else put(key)
      if (fifo.has(key)) fifoHits++
      else {
        fifo.add(key)
        if (fifo.size > 500) fifo.delete(fifo.values().next().value!)
      }
    }
    assert.isAbove(hits / 200_000, 0.45)
    assert.isBelow(fifoHits / 200_000, 0.3)
  })

  it("is bounded by weight, and refuses what is heavier than everything", () => {
    const { cache, has, left, put } = make(1000, 100)
    for (let i = 0; i < 50; i++) put(`k${i}`, 1 + (i % 40))
    assert.isAtMost(cache.weight, 100)
    assert.isTrue(put("all", 100))
    assert.strictEqual(cache.nodes.size, 1)
    assert.isFalse(put("all", 101))
    assert.isFalse(has("all"))
    assert.strictEqual(cache.weight, 0)
    assert.isFalse(put("nan", Number.NaN))
    assert.strictEqual(left.length, 51)
  })

  it("works with room for one", () => {
    const { cache, has, put } = make(1)
    for (const key of ["a", "b", "a", "a", "c"]) {
      put(key)
      cache.get(key, 0)
      assert.isTrue(has(key))
      assert.strictEqual(cache.nodes.size, 1)
    }
  })

  it("drops expired entries before it evicts live ones", () => {
    const { cache, put } = make(100)
    for (let i = 0; i < 100; i++) put(`k${i}`, 1, i % 2 === 0 ? ever : 10)
    for (let i = 0; i < 50; i++) put(`new${i}`, 1, ever, 10)
    assert.strictEqual(cache.evictions, 0)
    assert.strictEqual(cache.nodes.size, 100)
  })

  it("an entry that expires where it was read often comes back to main", () => {
    const { cache, has, put } = make(20)
    put("hot", 1, 10)
    cache.get("hot", 0)
    cache.get("hot", 0)
    for (let i = 0; i < 20; i++) put(`a${i}`)
    assert.isUndefined(cache.get("hot", 10))
    put("hot")
    for (let i = 0; i < 200; i++) put(`b${i}`)
    assert.isTrue(has("hot"))
  })

  it("an expiry that is no number is past", () => {
    const { cache, put } = make(10)
    put("k", 1, Number.NaN)
    assert.isUndefined(cache.get("k", 0))
    assert.strictEqual(cache.nodes.size, 0)
  })

  it("tells of each value that leaves once, and the ghost stays bounded", () => {
    const next = random(3)
    const { cache, left } = make(50, 500)
    let stored = 0
    for (let i = 0; i < 20_000; i++) {
      const key = `k${Math.floor(next() * 200)}`
      const now = i
      const roll = next()
      if (roll < 0.4) cache.get(key, now)
      else if (roll < 0.45) cache.delete(key, now)
      else if (cache.set(key, `${i}`, 1 + Math.floor(next() * 30), next() < 0.5 ? ever : now + 50, now)) stored++
      assert.isAtMost(cache.nodes.size, 50)
      assert.isAtMost(cache.weight, 500)
      assert.isAtMost(cache.ghostSize, 64)
      assert.strictEqual(left.length, stored - cache.nodes.size)
    }
    assert.strictEqual(new Set(left).size, left.length)
    cache.clear()
    assert.strictEqual(left.length, stored)
    assert.strictEqual(cache.weight + cache.ghostSize, 0)
  })
})
