/**
 * The database transaction that a fiber is in, as `effect/sql` keeps it in the fiber's services. Found by the names it has there, so
 * that nothing of `effect/sql` is imported; `test/engine/transaction` holds them against the installed version. Where they change,
 * no transaction is seen.
 */
import { Context, Effect, Exit, Tracer } from "effect"

/** One level of a transaction: its connection, and how many savepoints it is within. A new object for each. */
export type LevelKey = readonly [connection: object, depth: number]

/** What is asked of a `SqlClient`. */
interface Client {
  readonly transactionService: Context.Key<never, unknown>
  readonly afterCommit: <R>(effect: Effect.Effect<void, never, R>) => Effect.Effect<void, never, R>
}

const currentServiceName = "effect/sql/CurrentTransactionService"
const clientName = "effect/sql/SqlClient"
const connectionNames = "effect/sql/SqlClient/TransactionConnection/"
const spanName = "sql.transaction"

/** The service of the innermost transaction; a context without one was never in any. */
const CurrentService = Context.Reference<{ readonly key: string } | undefined>(currentServiceName, {
  defaultValue: () => undefined
})
const SqlClient = Context.Service<Client>(clientName)

/** The innermost transaction of a fiber. */
export interface Here {
  readonly level: LevelKey
  /** The client whose transaction it is; `undefined`: it is not among the fiber's services. */
  readonly client: Client | undefined
  /** The levels of other clients' transactions that it is within. */
  readonly around: ReadonlyArray<LevelKey>
  readonly services: Context.Context<never>
}

const isLevel = (value: unknown): value is LevelKey =>
  Array.isArray(value) && typeof value[0] === "object" && value[0] !== null && typeof value[1] === "number"

/** The transaction that code with these services is in. One look where there is none. */
export const transactionOf = (services: Context.Context<never>): Here | undefined => {
  const current = Context.getOrUndefined(services, CurrentService)?.key
  if (current === undefined) return undefined
  let key = current
  let level: unknown = services.mapUnsafe.get(current)
  const around: Array<LevelKey> = []
  for (const [name, value] of services.mapUnsafe) {
    if (name === current || !name.startsWith(connectionNames) || !isLevel(value)) continue
    if (isLevel(level)) around.push(value)
    else {
      // Of the innermost nothing is left after its commit, and its callbacks run within another client's.
      key = name
      level = value
    }
  }
  if (!isLevel(level)) return undefined
  const client = Context.getOrUndefined(services, SqlClient)
  return {
    level,
    client: typeof client?.afterCommit === "function" && client.transactionService?.key === key ? client : undefined,
    around,
    services
  }
}

/**
 * Has `effect` run after the outermost commit, in the order of its registration. `false`: the transaction has ended, or its client
 * keeps nothing for later; then it is not run.
 */
export const runAfterCommit = ({ client, services }: Here, effect: Effect.Effect<void>): boolean => {
  let registering = true
  let ranAtOnce = false
  const later = Effect.suspend(() => {
    if (!registering) return effect
    ranAtOnce = true
    return Effect.void
  })
  const exit = Effect.runSyncExitWith(services)(client!.afterCommit(later))
  registering = false
  return Exit.isSuccess(exit) && !ranAtOnce
}

/**
 * The spans of the transaction's levels, the innermost first, by what is seen of them: those of other clients may be among them.
 * Each is an object of its own also where nobody looks at spans.
 */
export const spansOf = (services: Context.Context<never>): ReadonlyArray<Tracer.Span> => {
  const spans: Array<Tracer.Span> = []
  let at = Context.getOrUndefined(services, Tracer.ParentSpan)
  while (at?._tag === "Span") {
    if (at.name === spanName) spans.push(at)
    at = at.parent._tag === "Some" ? at.parent.value : undefined
  }
  return spans
}

/** What a transaction says of its end. */
export interface Ending {
  /** It is about to be rolled back, and no COMMIT was sent. */
  rolledBack: boolean
  /** It has ended, with all that came after its commit, if it has committed for certain. */
  readonly ended: (committed: boolean) => void
}

const rollbackEvent = "effect.sql.transaction.rollback"

/**
 * Listens to what the span of a transaction is told: the only way to hear of one that ends without a commit at the moment it does.
 * `false`: it cannot be listened to (a frozen span), and whether it is open is asked from time to time.
 */
export const listen = (span: Tracer.Span, ending: Ending): boolean => {
  const { end, event } = span
  const heard: Pick<Tracer.Span, "end" | "event"> = {
    event(this: Tracer.Span, ...args) {
      if (args[0] === rollbackEvent) ending.rolledBack = true
      return Reflect.apply(event, this, args)
    },
    end(this: Tracer.Span, ...args) {
      try {
        return Reflect.apply(end, this, args)
      } finally {
        ending.ended(Exit.isSuccess(args[1]))
      }
    }
  }
  try {
    Object.assign(span, heard)
    return span.end === heard.end && span.event === heard.event
  } catch {
    return false
  }
}
