/**
 * The rules of docs/protocol.md, and how each is taken out of a copy of the sources: for `verify/ablations`, which looks
 * whether the test of the rule fails then, and for `verify/model`, which looks for a schedule that breaks the promise.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

export type Backend = "memory" | "redis"

export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
  /** The backends that this line serves; by default both. */
  readonly on?: Backend
}

export interface Ablation {
  readonly rule: string
  /** A part of the names of the tests that must fail. */
  readonly test: string
  /** Where it applies; by default on both. */
  readonly on?: Backend
  /** The programs of the model do not show it. */
  readonly unmodelled?: true
  readonly patches: ReadonlyArray<Patch>
}

const memory = "src/stores/memory/state.ts"
const scripts = "src/stores/redis/backendScripts.ts"
const tagIndex = "src/stores/redis/tagIndex.ts"
const verdict = "src/protocol/verdict.ts"
const land = "src/engine/land.ts"
const slot = "src/engine/slot.ts"
const flights = "src/engine/flights.ts"
const lender = "src/engine/lender.ts"
const passes = "src/protocol/passes.ts"
const client = "src/engine/client.ts"
const hold = "src/engine/transaction/hold.ts"
const transaction = "src/engine/transaction/transaction.ts"

const memoryFence = "if (!this.holds(key, token)) return false\n    this.store("
const redisFence = "if said(KEYS[1]) == ARGV[1] then\n  if ARGV[3]"

export const ablations: ReadonlyArray<Ablation> = [
  {
    rule: "fence on fill",
    test: "rule: fence on fill",
    patches: [
      { on: "memory", file: memory, find: memoryFence, replace: "this.store(" },
      { on: "redis", file: scripts, find: redisFence, replace: "if true then\n  if ARGV[3]" }
    ]
  },
  {
    rule: "absent lease rejects",
    test: "rule: an absent lease rejects",
    patches: [
      {
        on: "memory",
        file: memory,
        find: memoryFence,
        replace: memoryFence.replace("if (", "if (this.leases.has(key) && ")
      },
      {
        on: "redis",
        file: scripts,
        find: redisFence,
        replace: "if (said(KEYS[1]) or ARGV[1]) == ARGV[1] then\n  if ARGV[3]"
      }
    ]
  },
  {
    rule: "key invalidation drops the lease",
    test: "rule: key invalidation drops the lease",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "const there = this.entries.delete(key, now)\n    this.dropLease(key)",
        replace: "const there = this.entries.delete(key, now)"
      },
      {
        on: "redis",
        file: scripts,
        find: 'else redis.call("UNLINK", KEYS[1]) end\nreturn KEYS[2]',
        replace: "end\nreturn KEYS[2]"
      }
    ]
  },
  {
    rule: "epoch read before the load",
    test: "rule: the epoch is read before the load",
    patches: [
      {
        file: land,
        find: "const origin = { born: flight.epoch,",
        // Lands twice: once to read the epoch, now that the load has ended.
        replace: `const late = landing as { late?: boolean }
  if (late.late !== true) {
    late.late = true
    return Effect.flatMap(Effect.orDie(store.tags.epoch), (born) => {
      flight.epoch = born
      return land(landing, services)
    })
  }
  const origin = { born: flight.epoch,`
      }
    ]
  },
  {
    rule: "missing marker is stale",
    test: "rule: a missing marker is stale",
    patches: [
      {
        file: verdict,
        find: 'if (marker === undefined) return "stale"',
        replace: "if (marker === undefined) continue"
      }
    ]
  },
  {
    rule: "marker created at the current epoch",
    test: "rule: a marker is created at the current epoch",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "this.markers.ensure(tags[i]!, this.epoch)",
        replace: "this.markers.ensure(tags[i]!, 1)"
      },
      {
        on: "redis",
        file: tagIndex,
        find: "[names.marker(tag), text, now]",
        replace: "[names.marker(tag), text, Math.min(now, 1)]"
      }
    ]
  },
  {
    rule: "write-through takes the lease over",
    test: "rule: write-through takes the lease over",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "if (lease?.token === token) return token",
        replace: "if (lease !== undefined) return token"
      },
      {
        on: "redis",
        file: scripts,
        find: 'or string.sub(text, 2, 2) ~= ":" then\n  redis.call("SET", KEYS[1], token, "PX", ttl)',
        replace: 'or string.sub(text, 2, 2) ~= ":" then\n  redis.call("SET", KEYS[1], token, "NX", "PX", ttl)'
      }
    ]
  },
  {
    // In memory no lease is lost: void ones are those of writes that join.
    rule: "a write that lost its lease unlinks",
    test: "rule: a write that lost its lease unlinks",
    on: "redis",
    patches: [
      {
        file: slot,
        find: 'store.fill(region, key, token, sealed, "unlink")',
        replace: 'store.fill(region, key, token, sealed, "keep")'
      }
    ]
  },
  {
    rule: "writes join",
    test: "rule: writes join",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "if (lease !== undefined && isWrite(lease.token)) {\n      if (as",
        replace: 'if (lease !== undefined && as !== "write" && isWrite(lease.token)) {\n      if (as'
      },
      {
        on: "redis",
        file: scripts,
        find: "  if not changes then\n    redis",
        replace: '  if not changes or as == "write" then\n    redis'
      }
    ]
  },
  {
    rule: "key invalidation leaves the lease of a write",
    test: "rule: key invalidation makes the lease of a write void",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "if (lease !== undefined && isWrite(lease.token)) change(lease)\n    else",
        replace: ""
      },
      {
        on: "redis",
        file: scripts,
        find: 'if changes then put(lease, changes, more, list) else redis.call("UNLINK", lease) end',
        replace: 'redis.call("UNLINK", lease)'
      }
    ]
  },
  {
    rule: "a refresh leaves the lease of a write",
    test: "rule: a refresh leaves the lease of a write",
    patches: [
      {
        on: "memory",
        file: memory,
        find: "if (lease !== undefined && isWrite(lease.token)) {\n      if (as",
        replace: 'if (lease !== undefined && as !== "refresh" && isWrite(lease.token)) {\n      if (as'
      },
      {
        on: "redis",
        file: scripts,
        find: 'elseif as == "refresh" then return text',
        replace: 'elseif as == "refresh" then redis.call("SET", KEYS[1], token, "PX", ttl)'
      }
    ]
  },
  {
    rule: "two passes for patterns",
    test: "rule: two passes for patterns",
    patches: [
      {
        file: passes,
        find: "onSuccess: () => pass",
        replace: "onSuccess: (removed) => Effect.succeed(removed)"
      }
    ]
  },
  {
    rule: "join only with the same token",
    test: "rule: join only with the same token",
    patches: [{ file: flights, find: "flight.holder === holder &&", replace: 'holder !== "" &&' }]
  },
  {
    rule: "join only with the same epoch",
    test: "rule: join only with the same epoch",
    patches: [{ file: flights, find: "flight.epoch === epoch &&", replace: "Number.isFinite(epoch) &&" }]
  },
  {
    rule: "a load begins again when the scope of its lender closes",
    test: "rule: a load begins again when the scope of its lender closes",
    // Its callers have no scopes.
    unmodelled: true,
    patches: [
      {
        file: lender,
        find: "if (this.isOver || !isClosed(this.#scope)) return false",
        replace: "if (true) return false"
      }
    ]
  }
]

/** Those of database transactions. */
export const transactionAblations: ReadonlyArray<Ablation> = [
  {
    rule: "a miss in a transaction is private",
    test: "rule: a miss in a transaction is private",
    patches: [
      {
        file: client,
        find: "here === undefined ? getOrLoad(request, fiber) : transactions.read(here, request, fiber)",
        replace: "here === here ? getOrLoad(request, fiber) : transactions.read(here!, request, fiber)"
      }
    ]
  },
  {
    rule: "a write in a transaction is filled only after the commit",
    test: "rule: a write in a transaction is filled only after the commit",
    patches: [
      {
        file: hold,
        find: "if (isGone(joined)) yield* hold(joined, keys, slots, region, options.note)\n      return ran!",
        replace: `if (entry !== undefined) {
        const held = transaction.held(store, keys[0]!)!
        held.settled = true
        yield* held.slot.fillSealed(region, entry)
      }
      return ran!`
      }
    ]
  },
  {
    rule: "what a savepoint wrote that was rolled back is not filled",
    test: "rule: what a savepoint wrote that was rolled back is not filled",
    patches: [
      {
        file: transaction,
        find: "if (by.some(({ committed }) => committed) && by.every((level) => level.committed || !level.isToCome)) yield held",
        replace: "if (by.length > 0) yield held"
      },
      {
        file: transaction,
        find: "[...by].every(({ committed }) => committed)",
        replace: "by.size > 0"
      }
    ]
  },
  {
    rule: "what a transaction has changed is settled before it is acknowledged",
    test: "rule: what a transaction has changed is settled before it is acknowledged",
    patches: [{ file: transaction, find: "|| !level.isToCome)) yield held", replace: ")) yield held" }]
  },
  {
    rule: "a write is not filled that something in the transaction overtook",
    test: "rule: a write is not filled that something in the transaction overtook",
    patches: [{ file: transaction, find: "held.written = undefined\n    held.at =", replace: "held.at =" }]
  }
]

const root = fileURLToPath(new URL("../..", import.meta.url))
const copied = ["src", "test", "verify", "package.json", "tsconfig.json", "vitest.config.ts"]

/** A copy of the sources and tests in a folder of its own. */
export const copySources = (): string => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-ablations-"))
  for (const name of copied) fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
  fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"))
  return folder
}

/** Applies the patches to a copy. Returns what puts it back. */
export const takeOut = (folder: string, rule: string, patches: ReadonlyArray<Patch>): (() => void) => {
  const before = new Map<string, string>()
  for (const { file, find, replace } of patches) {
    const target = path.join(folder, file)
    const text = fs.readFileSync(target, "utf8")
    if (!before.has(target)) before.set(target, text)
    const parts = text.split(find)
    if (parts.length !== 2)
      throw new Error(`${rule}: ${file} holds the text to replace ${parts.length - 1} times:\n${find}`)
    fs.writeFileSync(target, parts.join(replace))
  }
  return () => {
    for (const [target, text] of before) fs.writeFileSync(target, text)
  }
}
