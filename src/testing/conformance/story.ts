/**
 * The story of a case: the last steps that were taken, kept as they were and put into words only when a case fails.
 */
import { inspect } from "node:util"
import { Cause, Exit } from "effect"
import { type CacheEntry, type Compressor, decode } from "../../CacheEntry.ts"
import type { Stored } from "../../services/CacheBackend.ts"

/** Steps kept. A case with more tells the last ones. */
const keptSteps = 40

/** Primitives that answer with nothing. */
const silent: ReadonlySet<string> = new Set(["takeOver", "ensure", "invalidate", "awaitRelease", "clear"])

/** The tokens of clients are long and random; in a story they are numbered. */
const clientToken = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-[0-9a-z]+/g

interface Call {
  readonly who: string
  readonly operation: string
  readonly args: ReadonlyArray<unknown>
  exit?: Exit.Exit<unknown, unknown>
}

/** A value in a few words: strings are cut, `undefined` is "nothing". */
export const show = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value instanceof Entry
      ? value.text()
      : inspect(value, { breakLength: Infinity, compact: true, depth: 4, maxArrayLength: 6, maxStringLength: 60 })

/** A stored entry, which is decoded when it is shown. */
export class Entry {
  readonly #stored: Stored
  readonly #compressor: Compressor | undefined
  readonly #ttlMillis: number | undefined

  constructor(stored: Stored, compressor: Compressor | undefined, ttlMillis?: number) {
    this.#stored = stored
    this.#compressor = compressor
    this.#ttlMillis = ttlMillis
  }

  text(): string {
    const entry = this.#stored instanceof Uint8Array ? this.#decoded(this.#stored) : this.#stored
    if (entry === undefined) return "bytes that are not an entry"
    const tags = entry.tags.length === 0 ? "" : `, tags ${show(entry.tags)}`
    const ttl = this.#ttlMillis === undefined ? "" : `, ttl ${this.#ttlMillis}`
    return `<entry of ${show(entry.value)}, born ${entry.born}${tags}${ttl}>`
  }

  #decoded(bytes: Uint8Array): CacheEntry | undefined {
    const parsed = decode(bytes, this.#compressor)
    return parsed === undefined ? undefined : { ...parsed, value: parsed.json }
  }
}

export class Story {
  readonly #steps: Array<string | Call> = []
  #dropped = 0
  #ended = false

  #add(step: string | Call): void {
    if (this.#ended) return
    this.#steps.push(step)
    if (this.#steps.length > keptSteps) {
      this.#steps.shift()
      this.#dropped++
    }
  }

  /** What happened beside the store. */
  note(text: string): void {
    this.#add(text)
  }

  /** A primitive that is run; `end` is to be told how it ended. */
  call(
    who: string,
    operation: string,
    args: ReadonlyArray<unknown>
  ): { readonly end: (exit: Exit.Exit<unknown, unknown>) => void } {
    const call: Call = { who, operation, args }
    this.#add(call)
    return {
      end: (exit) => {
        if (!this.#ended) call.exit = exit
      }
    }
  }

  /** What comes from here on is cleaning up, and not told. */
  end(): void {
    this.#ended = true
  }

  /** The steps in words, in the order in which they began. */
  steps(): ReadonlyArray<string> {
    const names = new Map<string, string>()
    const nameOf = (token: string) => {
      const name = names.get(token) ?? `token ${names.size + 1}`
      names.set(token, name)
      return name
    }
    const texts = this.#steps.map((step) =>
      (typeof step === "string" ? step : textOf(step)).replace(clientToken, nameOf).replace(/'(token \d+)'/g, "$1")
    )
    return this.#dropped === 0 ? texts : [`(${this.#dropped} steps before)`, ...texts]
  }
}

const textOf = ({ args, exit, operation, who }: Call): string =>
  `${who}${operation}${args.length === 0 ? "" : `(${args.map(show).join(", ")})`}${outcomeOf(operation, exit)}`

const outcomeOf = (operation: string, exit: Call["exit"]): string => {
  if (exit === undefined) return " has not ended"
  if (Exit.isSuccess(exit)) return silent.has(operation) ? "" : ` gave ${show(exit.value)}`
  if (Cause.hasInterruptsOnly(exit.cause)) return " was interrupted"
  const error = Cause.squash(exit.cause)
  return ` failed: ${error instanceof Error ? error.message : show(error)}`
}
