/**
 * The primitives of a remote backend, as steps on the server: those of memory where they are one step on Redis too, and in
 * more steps where Redis takes more (`src/stores/redis`). Reads are gathered, as there: those of one turn share a command.
 */
import { Effect, Exit } from "effect"
import type { CacheEntry } from "../../src/CacheEntry.ts"
import type { CacheError } from "../../src/CacheError.ts"
import { matcherUnsafe } from "../../src/CacheKey.ts"
import { whenFull } from "../../src/internal/noRoom.ts"
import { together } from "../../src/internal/together.ts"
import type { FastPath, Lookup, Stored } from "../../src/services/CacheBackend.ts"
import type { Primitives } from "../../src/services/CachePrimitives.ts"
import { around } from "../../src/stores/around.ts"
import { intentsOf, putDown } from "./intents.ts"
import type { Process, Work } from "./process.ts"
import type { Row } from "./server.ts"

export const primitivesOf = (process: Process): Primitives => {
  const { world } = process
  const { server } = world
  const { backend } = server.memory
  const own = (token: string): string => world.nameToken(token, process)

  /** What is one step on a server too, as memory carries it out there. */
  const steps = around({ backend, tags: server.memory.tags }, (call, self) => {
    const step = (key: string, label: string, needsRoom = false) =>
      process.one({ slot: key, label: `${label} of ${key}`, needsRoom, run: () => server.run(self) })
    switch (call.operation) {
      case "acquire":
        return step(call.args[0], `${own(call.args[1])}: take the lease`, true)
      case "takeOverFrom":
        return step(
          call.args[0],
          `${own(call.args[2])}: take the lease over from ${world.tokenName(call.args[1]) ?? call.args[1]}`,
          true
        )
      case "renew":
        return step(call.args[0], `${own(call.args[1])}: renew the lease`)
      case "release":
        return step(call.args[0], `${own(call.args[1])}: release the lease`)
      case "fill": {
        const [key, token, { stored }, , intended] = call.args
        const label = `${own(token)}: fill v${((stored as CacheEntry).value as Row).version}`
        const filled = process.one({
          slot: key,
          label,
          needsRoom: true,
          run: () => ({ value: server.run(self), isIntended: (server.table.beside.get(key)?.size ?? 0) > 0 })
        })
        return Effect.map(filled, ({ isIntended, value }) => {
          if (value === true && isIntended) intended?.()
          return value
        })
      }
      default:
        return self
    }
  })

  const entryOf = (key: string) => ({
    slot: key,
    label: `read the entry of ${key}`,
    run: () => server.run(backend.read(key))
  })
  const markerOf = (tag: string) => ({
    slot: `t:${tag}`,
    label: `read the marker of ${tag}`,
    run: () => server.markers.get(tag)
  })
  const asMarker = (found: number | string | undefined) => (typeof found === "string" ? Infinity : found)

  /** Several reads: all of them, or the first failure. */
  const readAll = <A>(
    works: ReadonlyArray<Omit<Work<A>, "reads">>,
    done: (exit: Exit.Exit<ReadonlyArray<A>, CacheError>, shared: Lookup["shared"]) => void
  ): void => {
    const found = new Array<A>(works.length)
    let left = works.length
    let failed = false
    /** Of the first of them. */
    let first: Lookup["shared"]
    if (left === 0) return done(Exit.succeed(found), undefined)
    works.forEach((work, i) => {
      process.read(work, (exit, shared) => {
        if (failed) return
        if (i === 0) first = shared
        if (exit._tag === "Failure") {
          failed = true
          return done(Exit.failCause(exit.cause), undefined)
        }
        found[i] = exit.value
        if (--left === 0) done(Exit.succeed(found), first)
      })
    })
  }
  const read = <A>(work: Omit<Work<A>, "reads">): Effect.Effect<A, CacheError> =>
    Effect.callback((resume) => process.read(work, resume))

  const fast: FastPath = {
    lookup: (key, tags, done) =>
      readAll<unknown>([entryOf(key), ...tags.map(markerOf)], (exit, shared) =>
        done(
          Exit.map(exit, ([stored, ...markers]) => ({
            stored: stored as Stored | undefined,
            markers: (markers as ReadonlyArray<number | string | undefined>).map(asMarker),
            shared
          }))
        )
      ),
    lookupMany: (keys, tags) =>
      Effect.callback((resume) =>
        readAll<unknown>([...keys.map(entryOf), ...tags.map(markerOf)], (exit) =>
          resume(
            Exit.map(exit, (found) => ({
              stored: found.slice(0, keys.length) as ReadonlyArray<Stored | undefined>,
              markers: (found.slice(keys.length) as ReadonlyArray<number | string | undefined>).map(asMarker)
            }))
          )
        )
      )
  }

  // Lease first, then the entry. The other way round, a load could fill between the two under its lease. That of writes is void then.
  const removal = (key: string): ReadonlyArray<Work<boolean>> => [
    {
      slot: key,
      label: `drop the lease of ${key}`,
      run: () => {
        server.dropLease(key)
        return false
      }
    },
    {
      slot: key,
      label: `drop the entry of ${key}`,
      run: () => {
        const there = server.entry(key) !== undefined
        server.dropEntry(key)
        return there
      }
    }
  ]
  /** As in `stores/redis/backend.ts`: what is not filled leaves the slot as a lease that was lost. */
  const unfilled = (key: string, token: string, onLost: "keep" | "unlink" | "empty") => {
    const release = process.one({
      slot: key,
      label: `${own(token)}: release the lease of ${key}, nothing was filled`,
      run: () => {
        const { state } = server.memory
        if (!state.release(key, token) && onLost === "unlink") state.leave(key, token)
      }
    })
    return Effect.as(onLost === "keep" ? release : Effect.andThen(release, process.one(removal(key)[1]!)), false)
  }
  const removed = (found: ReadonlyArray<boolean>): number => found.filter(Boolean).length

  /**
   * A scan: the cursor comes by each name once, in an order of the explorer's, and what it has found is unlinked in a
   * command that goes out with the next step of the scan.
   */
  const pass = (names: ReadonlyArray<string>): Effect.Effect<unknown, CacheError> => {
    if (names.length === 0) return Effect.void
    const scan = process.one({
      slot: "scan",
      label: "scan",
      variants: names,
      run: (name) => ({ name: name!, found: server.exists(name!) })
    })
    return Effect.flatMap(scan, ({ found, name }) => {
      const rest = pass(names.filter((other) => other !== name))
      if (!found) return rest
      const key = name.slice(2)
      const unlink = process.one(
        name.startsWith("t")
          ? { slot: name, label: `drop the marker of ${key}`, run: () => void server.markers.delete(key) }
          : removal(key)[name.startsWith("l") ? 0 : 1]!
      )
      return together(unlink, rest)
    })
  }
  const entryNames = (matches: (key: string) => boolean): ReadonlyArray<string> =>
    world.keys.filter(matches).flatMap((key) => [`e:${key}`, `l:${key}`])

  const getEpoch = read({ slot: "epoch", label: "read the epoch", run: () => server.epoch })
  const createEpoch = process.one({
    slot: "epoch",
    label: "create the epoch",
    needsRoom: true,
    run: () => server.createEpoch()
  })
  const epoch = Effect.flatMap(getEpoch, (found) => (found === undefined ? createEpoch : Effect.succeed(found)))
  const bumpEpoch = process.one({
    slot: "epoch",
    label: "move the epoch on",
    needsRoom: true,
    run: () => server.bumpEpoch()
  })
  const dropEpoch = process.one({ slot: "epoch", label: "drop the epoch", run: () => server.drop("the epoch") })
  /** `GET` and `TIME`: what others do to the epoch in between is from the clock. */
  const lookAtEpoch = process.one({
    slot: "epoch",
    label: "look at the epoch and the clock",
    run: () => server.isBelowClock()
  })
  const dropMarker = (tag: string): Work<unknown> => ({
    slot: `t:${tag}`,
    label: `drop the marker of ${tag}`,
    run: () => server.drop(`t:${tag}`)
  })
  /** Where there is no room to move it on, the epoch goes, and after it what it is the evidence for; but none that is ahead. */
  const bump = whenFull(bumpEpoch, (refused) =>
    Effect.flatMap(lookAtEpoch, (below) => (below ? Effect.asVoid(dropEpoch) : Effect.fail(refused)))
  )

  return {
    backend: {
      ...steps.backend,
      name: "model",
      deadlineMillis: 1,
      intents: world.program.intents === true ? intentsOf(process) : undefined,
      fast: world.program.store === "plain" ? undefined : fast,
      read: (key) => read(entryOf(key)),
      // As a script would not, but two commands do: the lease, then the entry.
      takeOver: (key, token, _ttl, as, give, intent) => {
        let holder: string | undefined
        let unlinked: Stored | undefined
        const take: Work<unknown> = {
          slot: key,
          label: `${own(token)}: take the lease of ${key} over`,
          needsRoom: true,
          run: () => {
            server.takeOvers++
            return (holder = server.memory.state.takeOver(key, token, as))
          }
        }
        const [lease, alone] = removal(key)
        const entry: Work<unknown> = {
          ...alone!,
          run: (variant) => {
            if (give !== undefined) unlinked = server.entry(key)
            return alone!.run(variant)
          }
        }
        // One script there: a lease that is refused keeps the entry, too.
        const after: Work<unknown> = {
          ...entry,
          run: (variant) => (holder === undefined || (as === "set" && holder === token) ? false : entry.run(variant))
        }
        const rescue = as === "write" ? [lease!, entry] : [lease!]
        const down = intent === undefined ? [] : putDown(process, key, token, intent)
        const taken = process.send(as === "refresh" ? [take] : [take, after, ...down])
        return Effect.map(
          whenFull(taken, () => Effect.as(process.send(rescue), [token])),
          (replies) => ({
            holder: String(replies[0]),
            unlinked,
            intended: replies.length > 2 ? Effect.void : undefined
          })
        )
      },
      fill: (key, token, write, onLost, intended) =>
        whenFull(steps.backend.fill(key, token, write, onLost, intended), () => unfilled(key, token, onLost)),
      remove: (keys) => Effect.map(process.send(keys.flatMap(removal)), removed),
      removeMatching: (pattern) => Effect.as(pass(entryNames(matcherUnsafe(pattern))), 0),
      addTags: (key, tags) =>
        process.one({
          slot: key,
          label: `tag the entry of ${key} with ${tags.join(", ")}`,
          needsRoom: true,
          run: () => {
            const added = server.run(backend.addTags(key, tags))
            if (added) process.tagged = server.entry(key)!.value as Row
            return added
          }
        }),
      awaitRelease: (key, token) =>
        process.wait("hint", {
          label: `hint: ${world.tokenName(token)} no longer holds ${key}`,
          enabled: () => server.lease(key) !== token,
          run: () => undefined
        }),
      clear: Effect.suspend(() => {
        const everything = Effect.andThen(pass(entryNames(() => true)), pass(world.tags.map((tag) => `t:${tag}`)))
        const twice = Effect.andThen(everything, everything)
        // Where the epoch can be neither moved on nor removed, what it removes makes room.
        return Effect.andThen(
          whenFull(bump, () => Effect.andThen(twice, bump)),
          Effect.asVoid(twice)
        )
      })
    },
    tags: {
      epoch,
      markers: (tags) =>
        Effect.callback((resume) =>
          readAll(tags.map(markerOf), (exit) => resume(Exit.map(exit, (found) => found.map(asMarker))))
        ),
      ensure: (tags) =>
        Effect.suspend(() => {
          const text = process.pendingText()
          const pend = process.send(
            tags.map((tag) => ({
              slot: `t:${tag}`,
              label: `pend the marker of ${tag}`,
              needsRoom: true,
              run: () => server.pendMarker(tag, text)
            }))
          )
          return Effect.flatMap(pend, (found) =>
            found.every((marker) => typeof marker === "number")
              ? Effect.void
              : // The epoch is read after the pending text was in place.
                Effect.map(epoch, (now) => {
                  found.forEach((marker, i) => {
                    if (typeof marker !== "string") return
                    const tag = tags[i]!
                    process.post({
                      slot: `t:${tag}`,
                      label: `confirm the marker of ${tag} at ${now}`,
                      needsRoom: true,
                      run: () => server.confirmMarker(tag, marker, now)
                    })
                  })
                })
          )
        }),
      invalidate: (tags) =>
        Effect.flatMap(bump, (now) => {
          if (now === undefined) return Effect.asVoid(process.send(tags.map(dropMarker)))
          const raise = (tag: string): Work<unknown> => ({
            slot: `t:${tag}`,
            label: `raise the marker of ${tag} to ${now}`,
            needsRoom: true,
            run: () => server.raiseMarker(tag, now)
          })
          return Effect.asVoid(whenFull(process.send(tags.map(raise)), () => process.send(tags.map(dropMarker))))
        })
    }
  }
}
