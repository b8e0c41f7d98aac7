/**
 * A TCP proxy that counts round trips and breaks connections on demand.
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
}

const make = (target: { readonly host?: string | undefined; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<TcpProxy & { readonly close: () => Promise<void> }>((resolve, reject) => {
          const sockets = new Set<net.Socket>()
          let trips = 0
          let bytes = 0
          let millis = 0
          let swallow = false
          let closed = false
          // The side that spoke last, over all connections: a client chunk after a reply starts a trip.
          const spoken = new WeakMap<net.Socket, "client" | "server">()
          const relay = (from: net.Socket, to: net.Socket, seen: (length: number) => void) => {
            from.on("data", (chunk) => {
              seen(chunk.length)
              if (swallow) return
              if (millis === 0) return void to.write(chunk)
              setTimeout(() => to.destroyed || to.write(chunk), millis)
            })
            from.on("error", () => to.destroy())
            from.on("close", () => to.destroy())
            from.on("end", () => to.end())
          }
          const server = net.createServer((client) => {
            if (closed) return void client.destroy()
            const upstream = net.connect({ host: target.host ?? "127.0.0.1", port: target.port, noDelay: true })
            client.setNoDelay(true)
            for (const socket of [client, upstream]) {
              sockets.add(socket)
              socket.on("close", () => sockets.delete(socket))
            }
            relay(client, upstream, (length) => {
              bytes += length
              if (spoken.get(client) !== "client") trips++
              spoken.set(client, "client")
            })
            relay(upstream, client, () => spoken.set(client, "server"))
          })
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
              connections: () => sockets.size / 2,
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
