/**
 * A TCP proxy that counts round trips and breaks connections on demand: all of them at once, or one alone.
 */
import * as net from "node:net"
import { Effect, type Scope } from "effect"

export interface TcpProxy {
  readonly port: number
  /** Round trips since the last `reset`: bursts of client bytes that follow a reply, or open the conversation. */
  readonly trips: () => number
  readonly reset: () => void
  /** Bytes from clients since the last `reset`. */
  readonly bytes: () => number
  readonly connections: () => number
  /** Holds each chunk back for so long, in both directions. */
  readonly delay: (millis: number) => void
  /** Swallows everything while `true`; connections stay open. */
  readonly blackhole: (on: boolean) => void
  /** Resets every connection there is. */
  readonly cut: () => void
  /** Refuses new connections while `true` (closes them at once). */
  readonly refuse: (on: boolean) => void
  /** The connections there are now, each to be broken alone. */
  readonly links: () => ReadonlyArray<Link>
}

/**
 * When a connection breaks: before the server gets the next request, when it has got the first half of its bytes, or
 * when it has answered and the reply is not delivered.
 */
export type Moment = "request" | "half" | "reply"

/** One connection through the proxy. */
export interface Link {
  /** Holds each chunk back for so long, in both directions, on top of the delay of the proxy. */
  readonly delay: (millis: number) => void
  /**
   * Delivers nothing while `true`, and then all of it in order, as a network does that was away: also what was sent by
   * a client that has given up meanwhile.
   */
  readonly hold: (on: boolean) => void
  readonly cut: () => void
  /** Resets it at that moment of the next exchange. */
  readonly cutAt: (moment: Moment) => void
}

/** One direction of a connection: what comes in goes out in order, however long it is held back. */
class Pipe {
  readonly #to: net.Socket
  readonly #queue: Array<{ readonly due: number; readonly deliver: () => void }> = []
  #timer: NodeJS.Timeout | undefined
  #held = false

  constructor(to: net.Socket) {
    this.#to = to
  }

  write(chunk: Buffer, millis: number): void {
    this.#push(millis, () => void this.#to.write(chunk))
  }

  end(millis: number): void {
    this.#push(millis, () => void this.#to.end())
  }

  /** Closes the other side, once it has got all that was sent before. */
  close(millis: number): void {
    this.#push(millis, () => this.#to.destroySoon())
  }

  hold(on: boolean): void {
    this.#held = on
    if (!on) this.#pump()
  }

  #push(millis: number, deliver: () => void): void {
    if (this.#queue.length === 0 && !this.#held && millis === 0) return deliver()
    const due = Math.max(performance.now() + millis, this.#queue.at(-1)?.due ?? 0)
    this.#queue.push({ due, deliver })
    this.#pump()
  }

  #pump(): void {
    clearTimeout(this.#timer)
    if (this.#held) return
    const now = performance.now()
    while (this.#queue.length > 0 && (this.#to.destroyed || this.#queue[0]!.due <= now)) {
      const { deliver } = this.#queue.shift()!
      if (!this.#to.destroyed) deliver()
    }
    if (this.#queue.length > 0) this.#timer = setTimeout(() => this.#pump(), Math.ceil(this.#queue[0]!.due - now))
  }
}

const make = (target: { readonly host?: string | undefined; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<TcpProxy & { readonly close: () => Promise<void> }>((resolve, reject) => {
          const sockets = new Set<net.Socket>()
          const links = new Set<Link>()
          let trips = 0
          let bytes = 0
          let millis = 0
          let swallow = false
          let closed = false
          const connect = (client: net.Socket) => {
            const upstream = net.connect({ host: target.host ?? "127.0.0.1", port: target.port, noDelay: true })
            client.setNoDelay(true)
            const toServer = new Pipe(upstream)
            const toClient = new Pipe(client)
            let extra = 0
            let moment: Moment | undefined
            // The side that spoke last: a client chunk after a reply starts a trip.
            let spoke: "client" | "server" = "server"
            const cut = () => {
              client.destroy()
              upstream.destroy()
            }
            const link: Link = {
              delay: (value) => {
                extra = value
              },
              hold: (on) => {
                toServer.hold(on)
                toClient.hold(on)
              },
              cut,
              cutAt: (value) => {
                moment = value
              }
            }
            links.add(link)
            for (const [from, pipe] of [
              [client, toServer],
              [upstream, toClient]
            ] as const) {
              sockets.add(from)
              from.on("error", () => pipe.close(millis + extra))
              from.on("end", () => pipe.end(millis + extra))
              from.on("close", () => {
                pipe.close(millis + extra)
                sockets.delete(from)
                links.delete(link)
              })
            }
            client.on("data", (chunk) => {
              bytes += chunk.length
              if (spoke !== "client") trips++
              spoke = "client"
              if (swallow) return
              if (moment === "request") return cut()
              if (moment !== "half") return toServer.write(chunk, millis + extra)
              toServer.write(chunk.subarray(0, chunk.length >> 1), millis + extra)
              toServer.close(millis + extra)
              client.destroy()
            })
            upstream.on("data", (chunk) => {
              spoke = "server"
              if (swallow) return
              if (moment === "reply") return cut()
              toClient.write(chunk, millis + extra)
            })
          }
          const server = net.createServer((client) => (closed ? void client.destroy() : connect(client)))
          server.once("error", reject)
          server.listen(0, "127.0.0.1", () => {
            const address = server.address() as net.AddressInfo
            const cut = () => {
              for (const socket of sockets) socket.destroy()
            }
            resolve({
              port: address.port,
              trips: () => trips,
              bytes: () => bytes,
              reset: () => {
                trips = 0
                bytes = 0
              },
              connections: () => links.size,
              delay: (value) => {
                millis = value
              },
              blackhole: (on) => {
                swallow = on
              },
              cut,
              refuse: (on) => {
                closed = on
              },
              links: () => [...links],
              close: () =>
                new Promise((done) => {
                  server.close(() => done())
                  cut()
                })
            })
          })
        })
    ),
    (proxy) => Effect.promise(proxy.close)
  )

export const TcpProxy = {
  /** A proxy in front of `target` until the scope closes. */
  scoped: (target: {
    readonly host?: string | undefined
    readonly port: number
  }): Effect.Effect<TcpProxy, never, Scope.Scope> => make(target)
}
