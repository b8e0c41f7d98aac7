import { assert, describe, it } from "@effect/vitest"
import { Ghost, hashOf } from "../../../src/stores/memory/ghost.ts"

const hashes = (count: number, prefix = "k") => Array.from({ length: count }, (_, i) => hashOf(`${prefix}${i}`))

describe("Ghost", () => {
  it("remembers about the last of a window, once each", () => {
    const ghost = new Ghost(1000)
    const all = hashes(20_000)
    for (const hash of all) ghost.add(hash, 1000)
    assert.isAtMost(ghost.size(1000), 1000)
    assert.isAbove(ghost.size(1000), 900)
    const taken = all.filter((hash) => ghost.take(hash, 1000))
    assert.isAbove(taken.length, 900)
    for (const hash of taken) assert.isAtLeast(all.indexOf(hash), 19_000)
    assert.isFalse(all.some((hash) => ghost.take(hash, 1000)))
    assert.strictEqual(ghost.size(1000), 0)
  })

  it("a hash that comes again is young again", () => {
    const ghost = new Ghost(64)
    for (let i = 0; i < 100; i++) {
      ghost.add(7, 64)
      ghost.add(hashOf(`${i}`), 64)
    }
    assert.strictEqual(ghost.size(64), 33)
    assert.isTrue(ghost.take(7, 64))
  })

  it("forgets nothing as the window grows, and all when cleared", () => {
    const ghost = new Ghost(10_000)
    const all = hashes(5000)
    all.forEach((hash, i) => {
      ghost.add(hash, 64 + 2 * i)
    })
    assert.isAbove(ghost.size(10_000), 4900)
    ghost.clear()
    assert.strictEqual(ghost.size(10_000), 0)
    assert.isFalse(ghost.take(all[4999]!, 10_000))
  })

  it("keys chosen to collide push each other out of one bucket, and nothing else", () => {
    const ghost = new Ghost(1000)
    const window = 1000
    ghost.add(1, window)
    // They agree in the high bits, which choose the bucket.
    for (let i = 1; i <= 500; i++) ghost.add(0xf000_0000 + i, window)
    assert.strictEqual(ghost.size(window), 9)
    assert.isTrue(ghost.take(1, window))
  })

  it("no key has the hash that marks a free place", () => {
    for (const hash of hashes(100_000)) assert.isAbove(hash, 0)
    assert.isAbove(hashOf(""), 0)
    const { size } = new Set(hashes(100_000))
    assert.isAbove(size, 99_990)
  })
})
