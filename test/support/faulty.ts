/**
 * A proxy before a Redis that understands the protocol: it answers chosen commands itself, slips others in between, and
 * mangles replies on their way. For what a real server cannot be brought to do at the right moment.
 */
import * as net from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { Effect, type Scope } from "effect"

/** A command on its way to the server. */
export interface Seen {
  /** In lower case. */
  readonly name: string
  readonly args: ReadonlyArray<string>
  /** How many came since the rule was set, this one included. */
  readonly count: number
}

/** One connection, as seen by what delivers a reply. */
interface Line {
  readonly open: () => boolean
  readonly write: (bytes: Buffer | string) => void
  readonly cut: () => void
}

/** What is done with a command. All of it is left out for one that passes as it is. */
export interface Fate {
  /** A command that the server gets before it, on the same connection. Nobody sees its reply. */
  readonly before?: ReadonlyArray<string> | undefined
  /** The reply, byte for byte. The server does not get the command. */
  readonly answer?: string | undefined
  /** How the reply gets to the client; `at` is when the server gave it, by `performance.now()`. */
  readonly deliver?: ((line: Line, reply: Buffer, at: number) => void | Promise<void>) | undefined
}

export type Rule = (seen: Seen) => Fate | undefined

export interface Faulty {
  readonly port: number
  /** Decides on the commands from now on; `undefined` lets all pass. */
  readonly rule: (rule: Rule | undefined) => void
  /** From now on nothing comes through the connections there are, and nothing says so. New ones are as good as ever. */
  readonly mute: () => void
  /** Refuses connections while `true`, and resets those there are. */
  readonly refuse: (on: boolean) => void
  readonly connections: () => number
}

/** The server's error, as it comes on the wire. */
export const error = (text: string): Fate => ({ answer: `-${text}\r\n` })

/** Each reply comes so much later. Those of one pipeline are late together, not one after the other. */
export const late = (millis: number): Fate => ({
  deliver: async (line, reply, at) => {
    const left = at + millis - performance.now()
    if (left > 0) await delay(left)
    line.write(reply)
  }
})

/** The reply comes in bites of so many bytes. */
export const trickling = (bite: number): Fate => ({
  deliver: async (line, reply) => {
    for (let i = 0; i < reply.length && line.open(); i += bite) {
      line.write(reply.subarray(i, i + bite))
      await delay(1)
    }
  }
})

/** The connection ends in the middle of the reply. */
export const halfReply: Fate = {
  deliver: (line, reply) => {
    line.write(reply.subarray(0, reply.length >> 1))
    line.cut()
  }
}

/** A server of another kind answers. */
export const garbage: Fate = { deliver: (line) => line.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n") }

/** A reply of a length that is never reached, however much comes. */
export const endless: Fate = {
  deliver: async (line) => {
    line.write("$536870912\r\n")
    for (; line.open(); await delay(5)) line.write("x".repeat(512))
  }
}

/** The end of the line that begins at `from`, behind its line break; `undefined` when it has not all come. */
const lineEnd = (bytes: Buffer, from: number): number | undefined => {
  const at = bytes.indexOf("\r\n", from)
  return at === -1 ? undefined : at + 2
}

/** The end of the RESP2 value that begins at `from`. */
const valueEnd = (bytes: Buffer, from: number): number | undefined => {
  const head = lineEnd(bytes, from)
  if (head === undefined) return undefined
  const type = bytes[from]
  const length = Number(bytes.toString("latin1", from + 1, head - 2))
  if (type === 0x24 /* $ */) {
    const end = length < 0 ? head : head + length + 2
    return end <= bytes.length ? end : undefined
  }
  let end: number | undefined = head
  if (type === 0x2a /* * */) for (let i = 0; i < length && end !== undefined; i++) end = valueEnd(bytes, end)
  return end
}

/** The words of a command: an array of bulk strings. */
const wordsOf = (bytes: Buffer): ReadonlyArray<string> => {
  const words: Array<string> = []
  let at = lineEnd(bytes, 0)!
  while (at < bytes.length) {
    const head = lineEnd(bytes, at)!
    const end = valueEnd(bytes, at)!
    words.push(bytes.toString("utf8", head, end - 2))
    at = end
  }
  return words
}

/** Cuts a stream of bytes into values. */
const eachValue = (f: (value: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk: Buffer): void => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    for (let end = valueEnd(bytes, 0); end !== undefined; end = valueEnd(bytes, at)) {
      f(bytes.subarray(at, end))
      at = end
    }
    rest = bytes.subarray(at)
  }
}

const encode = (words: ReadonlyArray<string>): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`

const plain: Fate = {}
const swallowed: Fate = { deliver: () => {} }

/** One connection. `mute` is looked at again for each piece, so a connection goes mute in the middle of a reply, too. */
const connect = (client: net.Socket, port: number, decide: (words: ReadonlyArray<string>) => Fate) => {
  const upstream = net.connect({ host: "127.0.0.1", port, noDelay: true })
  client.setNoDelay(true)
  let mute = false
  const line: Line = {
    open: () => client.writable,
    write: (bytes) => void (client.writable && !mute && client.write(bytes)),
    cut: () => {
      // What was written before is still sent.
      if (client.writable) client.destroySoon()
      upstream.destroy()
    }
  }
  // Replies are delivered one after the other, each when the one before it is done.
  let delivered: Promise<void> = Promise.resolve()
  const deliver = (fate: Fate, reply: Buffer) => {
    const at = performance.now()
    delivered = delivered.then(() => (fate.deliver === undefined ? line.write(reply) : fate.deliver(line, reply, at)))
  }
  // What the server has still to answer, and our own answers at their places in between.
  const expected: Array<{ readonly fate: Fate; readonly answer?: Buffer }> = []
  const answerOurs = () => {
    while (expected[0]?.answer !== undefined) {
      const { answer, fate } = expected.shift()!
      deliver(fate, answer!)
    }
  }
  client.on(
    "data",
    eachValue((bytes) => {
      if (mute) return
      const words = wordsOf(bytes)
      const fate = decide(words)
      if (fate.answer !== undefined) {
        expected.push({ fate, answer: Buffer.from(fate.answer) })
        return answerOurs()
      }
      if (fate.before !== undefined) {
        expected.push({ fate: swallowed })
        upstream.write(encode(fate.before))
      }
      // A subscription is answered once a channel, and then at any time.
      if (!words[0]!.toLowerCase().endsWith("subscribe")) expected.push({ fate })
      upstream.write(bytes)
    })
  )
  upstream.on(
    "data",
    eachValue((reply) => {
      deliver(expected.shift()?.fate ?? plain, reply)
      answerOurs()
    })
  )
  for (const [from, to] of [
    [client, upstream],
    [upstream, client]
  ] as const) {
    from.on("error", () => to.destroy())
    from.on("close", () => void delivered.then(() => to.destroy()))
  }
  return {
    mute: () => {
      mute = true
    },
    cut: () => {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }
}

const make = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<Faulty & { readonly close: () => Promise<void> }>((resolve, reject) => {
          const connections = new Set<ReturnType<typeof connect>>()
          let rule: Rule | undefined
          let count = 0
          let refused = false
          const decide = ([name, ...args]: ReadonlyArray<string>): Fate =>
            rule?.({ name: name!.toLowerCase(), args, count: ++count }) ?? plain
          const cutAll = () => {
            for (const connection of connections) connection.cut()
          }
          const server = net.createServer((client) => {
            if (refused) return void client.resetAndDestroy()
            const connection = connect(client, port, decide)
            connections.add(connection)
            client.on("close", () => connections.delete(connection))
          })
          server.once("error", reject)
          server.listen(0, "127.0.0.1", () =>
            resolve({
              port: (server.address() as net.AddressInfo).port,
              rule: (next) => {
                rule = next
                count = 0
              },
              mute: () => {
                for (const connection of connections) connection.mute()
              },
              refuse: (on) => {
                refused = on
                if (on) cutAll()
              },
              connections: () => connections.size,
              close: () =>
                new Promise((done) => {
                  server.close(() => done())
                  cutAll()
                })
            })
          )
        })
    ),
    (proxy) => Effect.promise(proxy.close)
  )

export const Faulty = {
  /** A proxy in front of the server on this port until the scope closes. */
  scoped: (port: number): Effect.Effect<Faulty, never, Scope.Scope> => make(port)
}
