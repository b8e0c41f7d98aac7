/**
 * What is taken out of the sources, one at a time, and the programs in which the model must then find a violation: the rules
 * of docs/protocol.md, and what the steps of the server promise beside them.
 */
import { ablations, type Patch, transactionAblations } from "../ablations/rules.ts"

export interface Hunt {
  readonly rule: string
  readonly patches: ReadonlyArray<Patch>
  /** In these it must be caught, in each of them. */
  readonly programs: ReadonlyArray<string>
  /** It takes tens of thousands of schedules: `npm run verify:model` hunts for it, and no test does. */
  readonly long?: boolean | undefined
  /** What goes wrong then: by default, a stale read or a second load. */
  readonly finds?: RegExp | undefined
}

/** Whether this is what the hunt is after. */
export const isFound = ({ finds = /^(STALE|R2)/ }: Hunt, problem: string | undefined): boolean =>
  problem !== undefined && finds.test(problem)

const primitives = "verify/model/primitives.ts"
const server = "verify/model/server.ts"

/** Where each rule shows, and what stands in the model for a script of Redis. */
const rules: Readonly<Record<string, Pick<Hunt, "programs"> & Partial<Pick<Hunt, "patches">>>> = {
  "fence on fill": { programs: ["key", "memory-key", "hung-key"] },
  "absent lease rejects": { programs: ["key", "memory-key"] },
  "key invalidation drops the lease": {
    programs: ["key", "memory-key"],
    patches: [{ file: primitives, find: "server.dropLease(key)\n        return false", replace: "return false" }]
  },
  "epoch read before the load": { programs: ["tag", "memory-tag"] },
  "missing marker is stale": { programs: ["tag-evict-once"] },
  "marker created at the current epoch": {
    programs: ["tag-evict-once"],
    patches: [
      {
        file: primitives,
        find: "server.confirmMarker(tag, marker, now)",
        replace: "server.confirmMarker(tag, marker, Math.min(now, 1))"
      }
    ]
  },
  "write-through takes the lease over": { programs: ["write-dies"] },
  "a write that lost its lease unlinks": { programs: ["write"] },
  "writes join": { programs: ["writers-write-dies"] },
  "key invalidation leaves the lease of a write": { programs: ["writers-key-dies"] },
  "a refresh leaves the lease of a write": { programs: ["writers-refresh-dies"] },
  "two passes for patterns": { programs: ["pattern"] },
  "join only with the same token": { programs: ["join-three-key"] },
  "join only with the same epoch": { programs: ["join-tag", "memory-tag"] }
}

const fly = "src/engine/fly.ts"
const memoryState = "src/stores/memory/state.ts"

/** What the model shows to be needed besides. */
const more: ReadonlyArray<Hunt> = [
  {
    rule: "the lease is dropped before the entry",
    programs: ["key"],
    patches: [
      {
        file: primitives,
        find: "process.send(keys.flatMap(removal))",
        replace: "process.send(keys.flatMap((key) => removal(key).toReversed()))"
      }
    ]
  },
  {
    rule: "write-through removes the entry before the write",
    programs: ["write-fails"],
    patches: [
      {
        file: "src/engine/slot.ts",
        find: 'store.takeOver(this.key, this.token, leaseMillis, "write", give, intent)',
        replace: 'store.takeOver(this.key, this.token, leaseMillis, "refresh")'
      }
    ]
  },
  {
    rule: "a created row is not filled",
    programs: ["create-key", "create-write"],
    patches: [
      {
        file: "src/engine/write.ts",
        find: "if (created !== undefined) yield* Effect.catch(parts.invalidateKeys([created]), missed)",
        replace:
          "if (created !== undefined && Exit.isSuccess(exit)) {\n    const slot = new Slot(slots, created)\n    yield* slot.begin\n    yield* slot.fill(region, undefined, exit.value, 0)\n  }"
      }
    ]
  },
  {
    rule: "the slot of a created row is emptied",
    programs: ["create"],
    patches: [
      {
        file: "src/engine/write.ts",
        find: "if (created !== undefined) yield* Effect.catch(parts.invalidateKeys([created]), missed)",
        replace: ""
      }
    ]
  },
  {
    rule: "a write around the cache holds its lease",
    programs: ["around-commits-dies"],
    patches: [
      {
        file: "src/engine/slot.ts",
        find: 'store.takeOver(this.key, this.token, leaseMillis, "write", give, intent)',
        replace:
          "Effect.andThen(store.backend.remove([this.key]), Effect.map(store.epoch, (epoch) => ({ holder: this.token, epoch })))"
      }
    ]
  },
  {
    rule: "a write of several keys holds the lease of each",
    programs: ["around-both-dies"],
    patches: [
      {
        file: "src/engine/write.ts",
        find: "yield* each(slots, (slot) => slot.begin)",
        replace: "yield* each(slots.slice(0, 1), (slot) => slot.begin)"
      }
    ]
  },
  {
    rule: "a set that was overtaken empties the slot",
    programs: ["set-set"],
    patches: [
      {
        file: "src/engine/client.ts",
        find: 'primary.fill(region, key, token, sealed, "empty")',
        replace: 'primary.fill(region, key, token, sealed, "keep")'
      }
    ]
  },
  {
    rule: "a set that lost its lease empties the slot",
    programs: ["set-set-evict"],
    patches: [
      {
        file: "src/stores/memory/primitives.ts",
        find: 'if (!filled && onLost !== "keep") state.lose(',
        replace: 'if (!filled && onLost !== "keep" && (onLost === "unlink" || state.leases.has(key))) state.lose('
      }
    ]
  },
  {
    rule: "a set leaves the old entry until its own is there",
    programs: ["set-gap"],
    finds: /^GAP/,
    patches: [
      {
        file: "src/engine/client.ts",
        find: 'primary.takeOver(key, token, defaultLeaseMillis, "set")',
        replace: 'primary.takeOver(key, token, defaultLeaseMillis, "write")'
      }
    ]
  },
  {
    rule: "what makes the lease of writes void gives it a new text",
    programs: ["writers-join"],
    patches: [{ file: memoryState, find: "voidText(++writes.changes,", replace: "voidText((writes.changes = 1)," }]
  },
  {
    rule: "the lease of writes ends with the last of them",
    programs: ["writers-write-dies"],
    patches: [
      {
        file: memoryState,
        find: "if (lease.writes!.tokens.size === 0) this.leases",
        replace: "this.leases"
      }
    ]
  },
  {
    rule: "a set makes the lease of a write void",
    programs: ["writers-set"],
    patches: [{ file: memoryState, find: 'if (as === "set") change(lease)', replace: "" }]
  },
  {
    rule: "where there is no room, the epoch goes before the markers",
    programs: ["full-tag"],
    patches: [
      {
        file: primitives,
        find: "Effect.flatMap(bump, (now) => {",
        replace:
          "Effect.flatMap(whenFull(bumpEpoch, () => Effect.andThen(process.send(tags.map(dropMarker)), Effect.asVoid(dropEpoch))), (now) => {"
      },
      {
        file: primitives,
        find: "if (now === undefined) return Effect.asVoid(process.send(tags.map(dropMarker)))",
        replace: "if (now === undefined) return Effect.void"
      }
    ]
  },
  {
    rule: "where there is no room, the markers go as well as the epoch",
    programs: ["full-tag"],
    patches: [
      {
        file: primitives,
        find: "if (now === undefined) return Effect.asVoid(process.send(tags.map(dropMarker)))",
        replace: "if (now === undefined) return Effect.void"
      }
    ]
  },
  {
    rule: "where there is no room, the epoch goes as well as the markers",
    programs: ["full-tag"],
    patches: [
      {
        file: primitives,
        find: "below ? Effect.asVoid(dropEpoch)",
        replace: "below ? Effect.void"
      }
    ]
  },
  {
    rule: "where there is no room, an epoch that is ahead of the clock stays",
    programs: ["full-tag-ahead"],
    patches: [
      {
        file: primitives,
        find: "below ? Effect.asVoid(dropEpoch) : Effect.fail(refused)",
        replace: "Effect.asVoid(dropEpoch)"
      }
    ]
  },
  {
    rule: "a take-over without room leaves nobody else's lease",
    programs: ["full-set-cold"],
    patches: [
      { file: primitives, find: "Effect.as(process.send(rescue), [token])", replace: "Effect.succeed([token])" }
    ]
  },
  {
    rule: "a set without room empties the slot",
    programs: ["full-set"],
    patches: [
      {
        file: primitives,
        find: 'onLost === "keep" ? release : Effect.andThen(release, process.one(removal(key)[1]!))',
        replace: "release"
      }
    ]
  },
  {
    rule: "the epoch of a new marker is read after its pending text is in place",
    programs: ["tag-evict-once"],
    patches: [
      {
        file: primitives,
        find: "return Effect.flatMap(pend, (found) =>",
        replace:
          "return Effect.flatMap(Effect.flatMap(epoch, (at) => Effect.map(pend, (to) => [at, to] as const)), ([early, found]) =>"
      },
      {
        file: primitives,
        find: "Effect.map(epoch, (now) => {",
        replace: "Effect.map(Effect.succeed(early), (now) => {"
      }
    ]
  },
  {
    rule: "a marker is confirmed only in place of its own pending text",
    programs: ["tag"],
    patches: [{ file: server, find: "if (this.markers.get(tag) !== text) return false", replace: "" }]
  },
  {
    rule: "a marker is never lowered",
    programs: ["tag-tag"],
    patches: [{ file: server, find: "else if (found < epoch) this", replace: "else this" }]
  },
  {
    rule: "an invalidation creates no marker",
    programs: ["tag-tag-evict"],
    patches: [
      { file: server, find: "this.markers.delete(tag)\n    else", replace: "this.markers.set(tag, epoch)\n    else" }
    ]
  },
  {
    rule: "an invalidation removes a pending text",
    programs: ["tag"],
    patches: [
      {
        file: server,
        find: 'if (typeof found !== "number") this.markers.delete(tag)',
        replace: 'if (typeof found !== "number") return'
      }
    ]
  },
  {
    rule: "a lost epoch comes back above all it was",
    programs: ["tag-evict"],
    patches: [{ file: server, find: "this.epoch ??= ++this.clock", replace: "this.epoch ??= 1" }]
  },
  {
    rule: "the second look at the entry comes after the lease was taken",
    programs: ["one"],
    patches: [
      {
        file: "src/engine/store.ts",
        find: "claimOutside(backend.acquire(key, token, ttlMillis), this.epoch, (services, done) =>\n      this.look(region, key, services, done)\n    )",
        replace:
          "Effect.flatMap(this.read(region, key), (found) => claimOutside(backend.acquire(key, token, ttlMillis), this.epoch, (_, done) => (done(Exit.succeed(found)), undefined)))"
      }
    ]
  },
  {
    rule: "nobody's lease is no witness",
    programs: ["turns-refused-key"],
    patches: [{ file: "src/engine/flights.ts", find: "if (holder === undefined) return undefined", replace: "" }]
  },
  {
    rule: "who may not join waits for the newest load",
    programs: ["turns-other-tag"],
    patches: [
      {
        file: fly,
        find: "(ourLoad !== undefined || (newest !== undefined && !mayBeOlder))",
        replace: "ourLoad !== undefined"
      }
    ]
  },
  {
    rule: "two loads of a key run at most",
    programs: ["turns-key", "turns-memory"],
    patches: [{ file: fly, find: "const maxRunning = 2", replace: "const maxRunning = 99" }]
  },
  {
    rule: "a refresh looks again how many loads run, after its trip",
    programs: ["turns-refresh"],
    patches: [
      {
        file: fly,
        find: "if (flights.isFull(key)) {\n          if (granted) yield* renounce(way, flight, leaseMillis)\n          continue\n        }",
        replace: ""
      }
    ]
  },
  {
    rule: "a load runs as soon as that was decided",
    programs: ["turns-yields"],
    patches: [
      {
        file: "src/engine/load.ts",
        find: "store.flights.run(flight)\n  return Effect.flatMap(runShared(context, store, flight, request, restore), ({ exit }) => exit)",
        replace:
          "return Effect.suspend(() => {\n  store.flights.run(flight)\n  return Effect.flatMap(runShared(context, store, flight, request, restore), ({ exit }) => exit)\n})"
      }
    ]
  },
  {
    rule: "who waits gives the lease back",
    long: true,
    programs: ["turns-refused-again"],
    patches: [
      {
        file: fly,
        find: "if (granted) yield* renounce(way, flight, leaseMillis)\n      turnBy ??=",
        replace: "turnBy ??="
      }
    ]
  },
  {
    rule: "a wait that closes a circle is not begun",
    programs: ["circle-patterns", "circle-writes", "circle-memory"],
    finds: /^(a call that never ends|a schedule that does not end|SLOW)/,
    patches: [{ file: "src/engine/work.ts", find: "if (who === target) return true", replace: "return false" }]
  },
  {
    rule: "a lease is taken over by comparison",
    programs: ["hung-write"],
    patches: [
      {
        file: memoryState,
        find: "if (!this.holds(key, from)) return false\n    this.#give",
        replace: "this.#give"
      }
    ]
  },
  {
    rule: "a write's lease is never taken over by a load",
    programs: ["hung-writer"],
    patches: [
      {
        file: "src/engine/suspects.ts",
        find: "token === undefined || isWrite(token)",
        replace: "token === undefined"
      }
    ]
  }
]

/** Throws where a way begins. */
const block = (file: string, find: string): Patch => ({
  file,
  find,
  replace: `throw new Error("there is no such way")\n    ${find}`
})

/** The model goes the ways that ship: with one blocked, the programs that take it fail. */
const ways: ReadonlyArray<Hunt> = [
  {
    rule: "the way of a read",
    programs: ["key", "tag", "peek", "get", "shared-tag", "plain-key"],
    finds: /there is no such way/,
    patches: [block("src/engine/store.ts", "if (this.inPlace) {\n      done(")]
  },
  {
    rule: "the way of a read in a process",
    programs: ["memory-key", "memory-tag"],
    finds: /there is no such way/,
    patches: [block("src/engine/store.ts", "const entry = this.#local!.get(key, now)")]
  },
  {
    rule: "the hit of one step",
    programs: ["memory-key"],
    finds: /there is no such way/,
    patches: [block("src/engine/store.ts", "if (region.stamp !== 0 && this.#since === 0")]
  },
  {
    rule: "the way of a read of many",
    programs: ["many", "many-tag", "plain-many"],
    finds: /there is no such way/,
    patches: [block("src/engine/store.ts", "if (this.inPlace) {\n      return Effect.withFiber")]
  },
  {
    rule: "the way of a take-over from who hangs",
    programs: ["hung-key", "hung-tag", "hung-readers", "dead-one"],
    finds: /there is no such way/,
    patches: [block(fly, "store.suspects.ended(key, holder!, true, clock)")]
  },
  {
    rule: "the landing of a load",
    programs: ["key", "one", "plain-key", "memory-key"],
    finds: /there is no such way/,
    patches: [
      block(
        "src/engine/land.ts",
        "const { context, createdAt, flight, leaseMillis, loadMillis, request, store, value } = landing"
      )
    ]
  }
]

/** Where the rules of transactions show: what nobody has committed is read, or what is older. */
const ofTransactions: Readonly<Record<string, ReadonlyArray<string>>> = {
  "a miss in a transaction is private": ["transaction-loads"],
  "a write in a transaction is filled only after the commit": ["transaction", "transaction-back"]
}

const write = "src/engine/write.ts"
const modelIntents = "verify/model/intents.ts"

/** Of intents. A writer dies somewhere; a lease and a sweep later something older is read. */
const ofIntents: ReadonlyArray<Hunt> = [
  {
    rule: "a write puts its intent down before it begins",
    programs: ["intents"],
    patches: [
      {
        file: "src/engine/slot.ts",
        find: "this.#intent === undefined ? take() : this.#intent.within(take)",
        replace: "take()"
      }
    ]
  },
  {
    rule: "an intent is dropped after what it says was carried out",
    programs: ["intents"],
    patches: [
      {
        file: write,
        find: "const old = yield* madeOld(",
        replace: "if (intent !== undefined) yield* intent.drop\n  const old = yield* madeOld("
      }
    ]
  },
  {
    rule: "others carry out an intent before they settle it",
    programs: ["intents"],
    patches: [{ file: "src/engine/intents.ts", find: "yield* carryOut(ended)", replace: "void carryOut" }]
  },
  {
    rule: "others carry out only what has ended",
    programs: ["intents-early"],
    patches: [
      {
        file: modelIntents,
        find: "[...(table.beside.get(key)?.values() ?? [])].filter(hasEnded)",
        replace: "[...(table.beside.get(key)?.values() ?? [])]"
      },
      {
        file: modelIntents,
        find: "[...table.index.values()].filter(hasEnded)",
        replace: "[...table.index.values()]"
      }
    ]
  },
  {
    rule: "a transaction puts its intent down before its commit",
    programs: ["intents-transaction"],
    patches: [
      {
        file: "src/engine/transaction/intend.ts",
        find: "return Effect.asVoid(transaction.intent?.put ?? Effect.void)",
        replace: "return Effect.void"
      }
    ]
  }
]

export const hunts: ReadonlyArray<Hunt> = [
  // The others show where several levels have made calls, which these small programs have not.
  ...transactionAblations.flatMap(({ patches, rule }) => {
    const programs = ofTransactions[rule]
    return programs === undefined ? [] : [{ rule, patches, programs, finds: /^(STALE|DIRTY)/ }]
  }),
  ...ofIntents,
  ...ablations
    .filter(({ unmodelled }) => unmodelled !== true)
    .map(({ patches, rule }) => {
      const own = rules[rule]
      if (own === undefined) throw new Error(`the model does not know where the rule "${rule}" shows`)
      // The scripts of Redis are not in the model.
      const ours = patches.filter(({ file }) => !file.startsWith("src/stores/redis/"))
      return { rule, patches: [...ours, ...(own.patches ?? [])], programs: own.programs }
    }),
  ...more,
  ...ways
]
