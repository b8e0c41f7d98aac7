import { assert, describe, it } from "@effect/vitest"
import { S3Fifo } from "../../../src/stores/memory/s3fifo.ts"
import { S3FifoModel } from "./s3fifoModel.ts"

const ever = Number.POSITIVE_INFINITY

const make = (maxEntries: number, maxWeight: number = ever) => {
  const left: Array<string> = []
  const cache = new S3Fifo<string>({ maxEntries, maxWeight, onLeave: (value) => left.push(value) })
  const put = (key: string, weight = 1, expiresAt = ever, now = 0) => cache.set(key, key, weight, expiresAt, now) > 0
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
    assert.strictEqual(cache.size, 100)
  })

  it("one read is not enough to stay, and a second coming goes to main", () => {
    const { cache, has, put } = make(20)
    // While main has room, everything stays.
    for (let i = 0; i < 20; i++) put(`first${i}`)
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
    assert.strictEqual(cache.size, 1)
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
      assert.strictEqual(cache.size, 1)
    }
  })

  it("drops expired entries before it evicts live ones", () => {
    const { cache, put } = make(100)
    for (let i = 0; i < 100; i++) put(`k${i}`, 1, i % 2 === 0 ? ever : 10)
    for (let i = 0; i < 50; i++) put(`new${i}`, 1, ever, 10)
    assert.strictEqual(cache.evictions, 0)
    assert.strictEqual(cache.size, 100)
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
    assert.strictEqual(cache.size, 0)
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
      else if (cache.set(key, `${i}`, 1 + Math.floor(next() * 30), next() < 0.5 ? ever : now + 50, now) > 0) stored++
      assert.isAtMost(cache.size, 50)
      assert.isAtMost(cache.weight, 500)
      assert.isAtMost(cache.ghostSize, 64)
      assert.strictEqual(left.length, stored - cache.size)
    }
    assert.strictEqual(new Set(left).size, left.length)
    cache.clear()
    assert.strictEqual(left.length, stored)
    assert.strictEqual(cache.weight + cache.ghostSize, 0)
  })

  it("a loop over more keys than fit keeps a part of them, where LRU keeps none", () => {
    const { cache, put } = make(1000)
    let hits = 0
    for (let i = 0; i < 15_000; i++) {
      if (cache.get(`k${i % 1500}`, 0) !== undefined) hits++
      else put(`k${i % 1500}`)
    }
    // At best it is the two thirds that fit, in nine rounds of ten.
    assert.isAbove(hits / 15_000, 0.4)
  })

  it("update replaces value and weight, keeps the expiry, and is no hit", () => {
    const { cache, has, left, put } = make(20, 100)
    put("k", 10, 50)
    assert.isTrue(cache.update("k", "new", 30, 0))
    assert.deepStrictEqual([cache.peek("k", 49), cache.peek("k", 50)], ["new", undefined])
    assert.deepStrictEqual([cache.weightOf("k"), cache.expiresAtOf("k"), cache.weight], [30, 50, 30])
    assert.deepStrictEqual(left, ["k"])
    assert.isFalse(cache.update("absent", "v", 1, 0))
    assert.isFalse(cache.update("k", "late", 1, 50))
    // Too heavy: what it should have replaced must not stay.
    assert.isFalse(cache.update("k", "heavy", 101, 0))
    assert.isFalse(has("k"))
    assert.deepStrictEqual(left, ["k", "new"])
    assert.deepStrictEqual([cache.evictions, cache.size, cache.weight, cache.weightOf("k")], [1, 0, 0, 0])
    assert.isUndefined(cache.expiresAtOf("k"))
  })

  it("an iteration begun before writes gives every key that is there all along", () => {
    const { cache, put } = make(1000)
    for (let i = 0; i < 900; i++) put(`k${i}`)
    const seen = new Set<string>()
    let i = 0
    for (const key of cache.keys()) {
      seen.add(key)
      if (i < 800) {
        cache.delete(`k${i}`, 0)
        put(`k${i + 100}`)
        put(`new${i++}`)
      }
    }
    for (let i = 800; i < 900; i++) assert.isTrue(seen.has(`k${i}`))
  })

  it("takes room as it fills, not for all it may hold, and gives it back when cleared", () => {
    const before = process.memoryUsage().arrayBuffers
    const caches = Array.from({ length: 50 }, () => make(1_000_000))
    const { cache, put } = caches[0]!
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 1e6)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 30_000; i++) {
        put(`k${i}`)
        cache.get(`k${i}`, 0)
      }
      assert.strictEqual(cache.size, 30_000)
      for (const key of cache.keys()) assert.strictEqual(cache.get(key, 0), key)
      cache.clear()
      assert.deepStrictEqual([...cache.keys()], [])
    }
    assert.strictEqual(caches.length, 50)
  })

  it("a full cache grows no more, however much goes through it", () => {
    const { cache, put } = make(100)
    for (let i = 0; i < 10_000; i++) {
      put(`k${i}`)
      if (i % 3 === 0) cache.delete(`k${i - 5}`, 0)
    }
    const before = process.memoryUsage().arrayBuffers
    for (let i = 10_000; i < 50_000; i++) {
      put(`k${i}`)
      if (i % 3 === 0) cache.delete(`k${i - 5}`, 0)
    }
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 100_000)
    for (const key of cache.keys()) assert.strictEqual(cache.peek(key, 0), key)
  })

  it("weights that are no whole numbers, or infinite, end too", () => {
    for (const weights of [
      [0.1, 0.7, 1e-9],
      [1e308, 1, Infinity],
      [0, 1e16, 1]
    ]) {
      for (const maxWeight of [1, 3, 1e16, ever]) {
        const { cache, put } = make(10, maxWeight)
        for (let i = 0; i < 300; i++) put(`k${i % 17}`, weights[i % 3])
        assert.isAtMost(cache.size, 10)
      }
    }
  })
})

describe("S3Fifo beside a model of plain arrays", () => {
  const run = (seed: number) => {
    const next = random(seed)
    const int = (max: number) => Math.floor(next() * max)
    const maxEntries = 1 + int([3, 12, 60, 120][seed % 4]!)
    const maxWeight = [ever, 10 * maxEntries, 1 + int(80)][seed % 3]!
    const keys = 1 + int(4 * maxEntries + 4)
    const left: Array<string> = []
    const cache = new S3Fifo<string>({ maxEntries, maxWeight, onLeave: (value) => left.push(value) })
    const model = new S3FifoModel(maxEntries, maxWeight)
    let now = 0
    const check = (step: number, what: string) => {
      const same = ({ expiresAt, key, value, weight }: (typeof model.all)[number]) =>
        cache.weightOf(key) === weight &&
        Object.is(cache.expiresAtOf(key), expiresAt) &&
        (Number.isNaN(expiresAt) || cache.peek(key, -ever) === value)
      const context = `seed ${seed}, step ${step}, ${what}`
      if (!model.all.every(same)) assert.fail(context)
      assert.deepStrictEqual(
        [cache.size, cache.weight, cache.evictions, cache.ghostSize, ...left],
        [model.all.length, model.weight, model.evictions, model.ghostSize, ...model.left],
        context
      )
      left.length = model.left.length = 0
    }
    for (let step = 0; step < 1200; step++) {
      // A few keys more often than the others.
      const key = `k${Math.floor(keys * next() ** 2)}`
      const value = `${key}=${step}`
      const weight = int(100) === 0 ? 1000 : 1 + int(12)
      const expiresAt = [now - 1, Number.NaN, now + 1 + int(60), now + 1 + int(60)][int(20)] ?? ever
      const roll = int(100)
      const [what, a, b] =
        roll < 45
          ? ["get", cache.get(key, now), model.get(key, now)]
          : roll < 88
            ? ["set", cache.set(key, value, weight, expiresAt, now) > 0, model.set(key, value, weight, expiresAt, now)]
            : roll < 93
              ? ["update", cache.update(key, value, weight, now), model.update(key, value, weight, now)]
              : roll < 98
                ? ["delete", cache.delete(key, now), model.delete(key, now)]
                : ["wait", (now += int(30)), now]
      assert.strictEqual(a, b, `seed ${seed}, step ${step}, ${what}`)
      if (int(700) === 0) {
        cache.clear()
        model.clear()
      }
      check(step, what as string)
    }
  }

  it("holds, drops and remembers the same after every operation", () => {
    for (let seed = 0; seed < 48; seed++) run(seed)
  })
})
