/**
 * Reads as effects, each one primitive: no fiber and no effect for its parts.
 */
import { Effect, Exit } from "effect"
import type { CacheError } from "../../CacheError.ts"
import { inSteps } from "../../internal/inSteps.ts"
import type { Lookup, Lookups } from "../../services/CacheBackend.ts"
import type { Names } from "./commands.ts"
import type { Nodes } from "./nodes/nodes.ts"
import type { Read, Reader } from "./wire/reads.ts"

type Resume<A> = (exit: Exit.Exit<A, CacheError>) => void

const nothing = Exit.succeed(undefined)

/** One key. */
class One<A> implements Reader {
  private readonly resume: Resume<A | undefined>
  private readonly f: (read: Read) => A | undefined

  constructor(resume: Resume<A | undefined>, f: (read: Read) => A | undefined) {
    this.resume = resume
    this.f = f
  }

  arrived(read: Read): void {
    if (read.error !== undefined) return this.resume(Exit.fail(read.error))
    this.resume(read.bytes === undefined ? nothing : Exit.succeed(this.f(read)))
  }
}

/** What a key holds, made into something; `undefined` when it holds no string. */
export const readOne = <A>(nodes: Nodes, name: string, f: (read: Read) => A | undefined) =>
  Effect.callback<A | undefined, CacheError>((resume) => {
    nodes.read(name, new One(resume, f))
  })

export const bytesOf = (read: Read): Uint8Array | undefined => read.bytes
export const textOf = (read: Read): string | undefined => read.text

/** Several keys: all of them, or the first failure. */
class Several<A> implements Reader {
  private readonly resume: Resume<A>
  private readonly f: (reads: ReadonlyArray<Read>) => A
  private readonly reads: Array<Read>
  private left: number
  private failed = false

  constructor(nodes: Nodes, names: ReadonlyArray<string>, resume: Resume<A>, f: (reads: ReadonlyArray<Read>) => A) {
    this.resume = resume
    this.f = f
    this.left = names.length
    this.reads = new Array<Read>(names.length)
    if (names.length === 0) resume(Exit.succeed(f(this.reads)))
    // A connection that is down fails at once, and need not be asked for the others.
    for (let i = 0; i < names.length && !this.failed; i++) this.reads[i] = nodes.read(names[i]!, this)
  }

  arrived(read: Read): void {
    if (this.failed) return
    if (read.error !== undefined) {
      // Told once: whoever counts failures must not count one for each key.
      this.failed = true
      this.resume(Exit.fail(read.error))
    } else if (--this.left === 0) {
      this.resume(Exit.succeed(this.f(this.reads)))
    }
  }
}

const markersOf = (reads: ReadonlyArray<Read>, from: number): Array<number | undefined> => {
  const markers = new Array<number | undefined>(reads.length - from)
  for (let i = from; i < reads.length; i++) markers[i - from] = reads[i]!.marker
  return markers
}

const lookupOf = (reads: ReadonlyArray<Read>): Lookup => {
  const { bytes, shared } = reads[0]!
  return { stored: bytes, markers: markersOf(reads, 1), shared }
}

/** More reads than this go in several steps. */
const readStep = 1_024

/** The markers of tags, in their order. */
export const readMarkers = (
  nodes: Nodes,
  names: Names,
  tags: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<number | undefined>, CacheError> => {
  const some = (step: ReadonlyArray<string>) =>
    Effect.callback<ReadonlyArray<number | undefined>, CacheError>((resume) => {
      new Several(nodes, step.map(names.marker), resume, (reads) => markersOf(reads, 0))
    })
  return tags.length <= readStep ? some(tags) : Effect.map(inSteps(tags, readStep, some), (steps) => steps.flat())
}

const noMarkers: ReadonlyArray<number | undefined> = []

/** Of what is not there, in a stampede, every caller is told. */
const missing: Exit.Exit<Lookup> = Exit.succeed({ stored: undefined, markers: noMarkers, shared: undefined })

/** No effect: this is the way of a hit. */
export const readLookup = (
  nodes: Nodes,
  names: Names,
  key: string,
  tags: ReadonlyArray<string>,
  done: Resume<Lookup>
): void => {
  if (tags.length === 0) {
    nodes.read(names.entry(key), {
      arrived: ({ bytes, error, shared }) =>
        done(
          error !== undefined
            ? Exit.fail(error)
            : bytes === undefined
              ? missing
              : Exit.succeed({ stored: bytes, markers: noMarkers, shared })
        )
    })
    return
  }
  const wanted = [names.entry(key)]
  for (const tag of tags) wanted.push(names.marker(tag))
  new Several(nodes, wanted, done, lookupOf)
}

export const readLookups = (nodes: Nodes, names: Names, keys: ReadonlyArray<string>, tags: ReadonlyArray<string>) =>
  Effect.callback<Lookups, CacheError>((resume) => {
    const wanted: Array<string> = []
    for (const key of keys) wanted.push(names.entry(key))
    for (const tag of tags) wanted.push(names.marker(tag))
    new Several(nodes, wanted, resume, (reads) => {
      const stored = new Array<Uint8Array | undefined>(keys.length)
      for (let i = 0; i < keys.length; i++) stored[i] = reads[i]!.bytes
      return { stored, markers: markersOf(reads, keys.length) }
    })
  })
