/**
 * Connections that belong to a scope, and a loader that works on that of its context: who lends it, and closes it, can be told
 * by what it gives.
 */
import { Context, Deferred, Effect, type Scope } from "effect"

interface Open {
  readonly name: string
  readonly closed: Deferred.Deferred<void>
  isClosed: boolean
}

export class Connection extends Context.Service<Connection, Open>()("test/Connection") {}

/** Opens one, until the scope closes. */
export const connect = (name: string): Effect.Effect<Open, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Open => ({ name, closed: Deferred.makeUnsafe(), isClosed: false })),
    (connection) =>
      Effect.suspend(() => {
        connection.isClosed = true
        return Deferred.succeed(connection.closed, undefined)
      })
  )

/** Runs something in a scope of its own, with a connection in that. */
export const connected = <A, E, R>(
  name: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<Exclude<R, Connection>, Scope.Scope>> =>
  Effect.scoped(Effect.flatMap(connect(name), (connection) => Effect.provideService(self, Connection, connection)))

/**
 * A query that each run does in two steps, of which a test lets the second happen. A connection that is closed fails what is under
 * way, or, where it is `quiet`, answers all the same; then its answer says so.
 */
export const makeQuery = (options: { readonly quiet?: boolean; readonly uninterruptible?: boolean } = {}) => {
  const begun: Array<Deferred.Deferred<void>> = []
  const gates: Array<Deferred.Deferred<void>> = []
  const at = (list: Array<Deferred.Deferred<void>>, run: number) => (list[run - 1] ??= Deferred.makeUnsafe())
  const state = { runs: 0, ended: 0 }
  const query = Effect.suspend(() => {
    const run = ++state.runs
    const work = Effect.gen(function*() {
      const connection = yield* Connection
      yield* Deferred.succeed(at(begun, run), undefined)
      const gate = Deferred.await(at(gates, run))
      if (options.quiet === true) yield* gate
      else yield* Effect.raceFirst(gate, Effect.andThen(Deferred.await(connection.closed), Effect.die("closed")))
      return `${connection.name}${connection.isClosed ? ", closed" : ""}`
    })
    return Effect.ensuring(
      options.uninterruptible === true ? Effect.uninterruptible(work) : work,
      Effect.sync(() => state.ended++)
    )
  })
  return {
    query,
    state,
    /** The `run`-th run is under way. */
    begun: (run: number) => Effect.suspend(() => Deferred.await(at(begun, run))),
    /** It may go on. */
    open: (run: number) => Effect.suspend(() => Deferred.succeed(at(gates, run), undefined))
  }
}
