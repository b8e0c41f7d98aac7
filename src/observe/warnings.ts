/**
 * Warnings that every call could give. The first is said at once; those of the minute after it are counted, and told with
 * the next one. There is no timer: what was counted last waits for another of its kind, and is in the metrics meanwhile.
 */
import { Clock, Effect, type Fiber } from "effect"

const minuteMillis = 60_000

/** More than there are: an option is named by whoever makes the error. */
const maxKinds = 50
const other = "(other)"

export interface Warning {
  /** What goes together in one count: a word of the library, never of a value. */
  readonly kind: string
  /** What is said; made only when it is. */
  readonly text: () => string
  /** Beside the text, for machines. */
  readonly annotations: Readonly<Record<string, string>>
  /** True of every value of the region, as a rule: said once, and not again. */
  readonly once?: boolean | undefined
}

/** What was said of one region, and how much more there was. */
export class Said {
  readonly #kinds = new Map<string, { at: number; more: number }>()

  /** How many were kept back since the last line of this kind; `undefined` for one that is kept back too. */
  due(kind: string, now: number, once: boolean): number | undefined {
    const name = this.#kinds.has(kind) || this.#kinds.size < maxKinds ? kind : other
    const said = this.#kinds.get(name)
    if (said === undefined) {
      this.#kinds.set(name, { at: now, more: 0 })
      return 0
    }
    if (once || now < said.at + minuteMillis) {
      said.more++
      return undefined
    }
    const { more } = said
    said.at = now
    said.more = 0
    return more
  }
}

/** Says it, or counts it. By the monotonic clock of the fiber: a wall clock that is set back must not silence it. */
export const warn = (
  of: { said: Said | undefined },
  fiber: Fiber.Fiber<unknown, unknown>,
  { annotations, kind, once = false, text }: Warning
): Effect.Effect<void> => {
  const now = Number(fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()) / 1e6
  const more = (of.said ??= new Said()).due(kind, now, once)
  if (more === undefined) return Effect.void
  return Effect.logWarning(
    `effect-cache: ${text()}${more === 0 ? "" : ` (and ${counted(more)} more since this was last said)`}`,
    annotations
  )
}

/** 1234567 is 1,234,567, whatever the locale. */
const counted = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",")
