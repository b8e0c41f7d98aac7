/**
 * Requests as bytes on a connection of their own: no client between that would repair, refuse or add anything.
 */
import * as net from "node:net"
import { Effect } from "effect"

export interface RawRequest {
  readonly method?: string | undefined
  /** The request target as it is sent: a path, or anything else. */
  readonly target: string
  /** In this order, names as written. Without a `Host` there is one. */
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]> | undefined
  readonly body?: string | undefined
}

export interface RawAnswer {
  readonly status: number
  /** Names in lower case, values of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const bytesOf = ({ body = "", headers = [], method = "GET", target }: RawRequest): Buffer => {
  const has = (name: string) => headers.some(([given]) => given.toLowerCase() === name)
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(has("host") ? [] : ["Host: site.example"]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(body === "" || has("content-length") || has("transfer-encoding") ? [] : [`Content-Length: ${body.length}`]),
    "Connection: close"
  ]
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1")
}

const unchunked = (body: string): string => {
  let whole = ""
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at)
    const size = Number.parseInt(body.slice(at, end), 16)
    if (end === -1 || !(size > 0)) return whole
    whole += body.slice(end + 2, end + 2 + size)
    at = end + 4 + size
  }
}

const parse = (text: string): RawAnswer => {
  const at = text.indexOf("\r\n\r\n")
  const [line = "", ...lines] = text.slice(0, at).split("\r\n")
  const headers: Record<string, string> = Object.create(null)
  for (const each of lines) {
    const colon = each.indexOf(":")
    const name = each.slice(0, colon).toLowerCase()
    const value = each.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  const body = text.slice(at + 4)
  const status = Number(line.split(" ")[1])
  return { status, headers, body: headers["transfer-encoding"] === "chunked" ? unchunked(body) : body }
}

/** What a server says to these bytes until it closes the connection. Text is latin1. */
export const exchange = (port: number, bytes: string | Uint8Array): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk: string) => (text += chunk))
    // A server that refuses may close before it has read everything; what it said counts.
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(text)))
    socket.write(bytes)
    return Effect.sync(() => socket.destroy())
  })

/** One request on a connection of its own. */
export const send = (port: number, request: RawRequest): Effect.Effect<RawAnswer> =>
  Effect.flatMap(exchange(port, bytesOf(request)), (text) =>
    text === "" ? Effect.die("no answer") : Effect.succeed(parse(text))
  )

/** Sends a request, and is gone before an answer. */
export const hangUp = (port: number, request: RawRequest): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.void))
    socket.write(bytesOf(request), () => socket.destroy())
  })
