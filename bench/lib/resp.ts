/**
 * The least a client can do: a socket, commands of one tick in one write, replies cut out of the buffer.
 */
import * as net from "node:net"

type Reply = string | number | null | Error | ReadonlyArray<Reply>

/** One reply from `at`; `undefined` while it is not all there. Text is decoded once, from the buffer it came in. */
const parse = (buffer: Buffer, at: number): { readonly reply: Reply; readonly end: number } | undefined => {
  const lineEnd = buffer.indexOf("\r\n", at, "latin1")
  if (lineEnd === -1) return undefined
  const end = lineEnd + 2
  const kind = buffer[at]
  // A length or a status: short, so that a loop over its digits beats making text of it.
  if (kind === 0x2b) return { reply: buffer.toString("latin1", at + 1, lineEnd), end }
  if (kind === 0x2d) return { reply: new Error(buffer.toString("latin1", at + 1, lineEnd)), end }
  let number = 0
  const negative = buffer[at + 1] === 0x2d
  for (let i = at + (negative ? 2 : 1); i < lineEnd; i++) number = number * 10 + buffer[i]! - 48
  if (negative) number = -number
  if (kind === 0x3a) return { reply: number, end }
  if (number === -1) return { reply: null, end }
  if (kind === 0x24) {
    if (buffer.length < end + number + 2) return undefined
    return { reply: buffer.toString("utf8", end, end + number), end: end + number + 2 }
  }
  const items: Array<Reply> = []
  let next = end
  for (let i = 0; i < number; i++) {
    const item = parse(buffer, next)
    if (item === undefined) return undefined
    items.push(item.reply)
    next = item.end
  }
  return { reply: items, end: next }
}

export class RawRedis {
  readonly #socket: net.Socket
  #waiting: Array<(reply: Reply) => void> = []
  #answered = 0
  #output = ""
  #rest: Buffer | undefined

  private constructor(socket: net.Socket) {
    this.#socket = socket
    socket.on("data", (data) => this.#receive(data as Buffer))
  }

  static connect(url: string): Promise<RawRedis> {
    const { hostname, port } = new URL(url)
    return new Promise((resolve, reject) => {
      const socket = net.connect(Number(port), hostname, () => resolve(new RawRedis(socket)))
      socket.setNoDelay(true)
      socket.once("error", reject)
    })
  }

  send(...args: ReadonlyArray<string>): Promise<any> {
    let command = `*${args.length}\r\n`
    for (const arg of args) command += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`
    if (this.#output === "") process.nextTick(() => this.#flush())
    this.#output += command
    return new Promise((resolve, reject) =>
      this.#waiting.push((reply) => (reply instanceof Error ? reject(reply) : resolve(reply)))
    )
  }

  async close(): Promise<void> {
    this.#socket.destroy()
  }

  #flush() {
    this.#socket.write(this.#output)
    this.#output = ""
  }

  #receive(data: Buffer) {
    const buffer = this.#rest === undefined ? data : Buffer.concat([this.#rest, data])
    let at = 0
    for (let parsed = parse(buffer, at); parsed !== undefined; parsed = parse(buffer, at)) {
      at = parsed.end
      this.#waiting[this.#answered++]!(parsed.reply)
      if (at === buffer.length) break
    }
    this.#rest = at === buffer.length ? undefined : buffer.subarray(at)
    if (this.#answered === this.#waiting.length) {
      this.#waiting = []
      this.#answered = 0
    } else if (this.#answered > 4_096) {
      this.#waiting = this.#waiting.slice(this.#answered)
      this.#answered = 0
    }
  }
}
