/**
 * A real Redis (or Valkey) for tests: found on this host or installed, on a free port, gone when the scope closes.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as tls from "node:tls"
import { Context, Data, Effect, Layer, type Scope } from "effect"
import { freePort, kill, type Program, programPath, run, track } from "./programs.ts"

export class RedisServerError extends Data.TaggedError("RedisServerError")<{ readonly message: string }> {}

export interface RedisServerOptions {
  /** Further arguments, such as `["--maxmemory", "10mb"]`. A function is asked at every start. */
  readonly args?: ReadonlyArray<string> | (() => ReadonlyArray<string>) | undefined
  /** Lines of an ACL file. */
  readonly acl?: ReadonlyArray<string> | undefined
  readonly requirepass?: string | undefined
  /** Serves TLS with a certificate made for the occasion; the plain port is off. Needs `openssl`. */
  readonly tls?: boolean | undefined
  /** A node of a Redis Cluster, still alone. It remembers who it is (`nodes.conf`) when it is started again. */
  readonly cluster?: boolean | undefined
  /** Runs a Sentinel with these lines of configuration. What it adds to them outlives `stop` and `start`. */
  readonly sentinel?: ReadonlyArray<string> | undefined
}

/** A running server, and what a test can do to it. */
export interface RunningRedis {
  readonly host: "127.0.0.1"
  readonly port: number
  /** Where the nodes of a cluster talk to each other; `undefined` for other servers. */
  readonly busPort: number | undefined
  readonly url: string
  /** The certificate to trust, when it serves TLS. */
  readonly ca: string | undefined
  readonly pid: () => number | undefined
  /** Kills it (SIGKILL) and waits until it is gone; the data is lost. */
  readonly stop: Effect.Effect<void, RedisServerError>
  /** Starts it again, empty, on the same port. */
  readonly start: Effect.Effect<void, RedisServerError>
  /** Freezes it: connections stay open, nothing answers. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Sends one command on a connection of its own and gives the raw reply. Do not use it with ACL or TLS servers. */
  readonly raw: (...args: ReadonlyArray<string>) => Effect.Effect<string, RedisServerError>
}

const program: Program = {
  names: ["redis-server", "valkey-server"],
  package: "redis-server",
  advice:
    "Install Redis 7 or Valkey so that `redis-server` or `valkey-server` is on the PATH: `apt-get install redis-server` " +
    "(Debian, Ubuntu), `brew install redis` (macOS), `dnf install valkey` (Fedora)."
}

const encodeCommand = (args: ReadonlyArray<string>) =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`

/** One command on a fresh connection. Resolves with what arrived once the socket is quiet for a moment. */
const exchange = (port: number, args: ReadonlyArray<string>, ca: string | undefined): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket =
      ca === undefined
        ? net.connect(port, "127.0.0.1")
        : tls.connect({ port, host: "127.0.0.1", ca, checkServerIdentity: () => undefined })
    let text = ""
    socket.setTimeout(5000, () => socket.destroy(new Error("no answer")))
    socket.once("error", reject)
    socket.once("close", () => (text === "" ? reject(new Error("closed")) : resolve(text)))
    socket.on("data", (data) => {
      text += data.toString("utf8")
      // A Sentinel of Redis 7 knows no QUIT, and its refusal is the last thing that it says.
      if (/^-ERR unknown command 'QUIT'/m.test(text)) socket.end()
    })
    // QUIT makes the server close when the reply is complete.
    socket.write(encodeCommand(args) + encodeCommand(["QUIT"]))
  })

const certificate = async (folder: string) => {
  const key = path.join(folder, "key.pem")
  const cert = path.join(folder, "cert.pem")
  try {
    await run("openssl", [
      ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-keyout",
      key,
      "-out",
      cert
    ])
  } catch (cause) {
    throw new Error(`TLS tests need openssl on the PATH: ${cause instanceof Error ? cause.message : cause}`)
  }
  return { key, cert, ca: fs.readFileSync(cert, "utf8") }
}

const launch = (file: string, args: ReadonlyArray<string>, port: number, ca: string | undefined) =>
  new Promise<ChildProcess>((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] })
    track(child)
    let output = ""
    let settled = false
    const fail = (message: string) => {
      if (settled) return
      settled = true
      child.kill("SIGKILL")
      reject(new Error(message))
    }
    const collect = (data: Buffer) => {
      output = (output + data.toString("utf8")).slice(-2000)
    }
    child.stdout?.on("data", collect)
    child.stderr?.on("data", collect)
    child.once("error", (error) => fail(error.message))
    child.once("exit", (code) => fail(`the server ended with code ${code}: ${output}`))
    const end = Date.now() + 20_000
    const ask = () => {
      if (settled) return
      exchange(port, ["PING"], ca).then(
        (text) => {
          if (settled) return
          // A password or an ACL refuses the PING: the server is up all the same.
          if (!/^(\+PONG|-NOAUTH|-NOPERM)/.test(text)) return void setTimeout(ask, 20)
          settled = true
          child.unref()
          resolve(child)
        },
        () => (Date.now() > end ? fail(`the server did not answer: ${output}`) : void setTimeout(ask, 20))
      )
    }
    ask()
  })

export const attempt = <A>(evaluate: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, RedisServerError> =>
  Effect.tryPromise({
    try: evaluate,
    catch: (cause) => new RedisServerError({ message: cause instanceof Error ? cause.message : String(cause) })
  })

const scoped = (options: RedisServerOptions = {}): Effect.Effect<RunningRedis, RedisServerError, Scope.Scope> =>
  Effect.gen(function*() {
    const file = yield* attempt(() => programPath(program))
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-redis-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const secure = options.tls === true ? yield* attempt(() => certificate(folder)) : undefined
    const argsFor = (port: number, busPort: number | undefined): ReadonlyArray<string> => {
      const args = ["--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no", "--daemonize", "no"]
      if (options.sentinel !== undefined) {
        const config = path.join(folder, "sentinel.conf")
        if (!fs.existsSync(config)) fs.writeFileSync(config, options.sentinel.join("\n") + "\n")
        args.unshift(config, "--sentinel")
      }
      if (busPort !== undefined) args.push("--cluster-enabled", "yes", "--cluster-port", String(busPort))
      if (secure === undefined) args.push("--port", String(port))
      else {
        args.push("--port", "0", "--tls-port", String(port), "--tls-cert-file", secure.cert)
        args.push("--tls-key-file", secure.key, "--tls-ca-cert-file", secure.cert, "--tls-auth-clients", "no")
      }
      if (options.acl !== undefined) {
        const acl = path.join(folder, "users.acl")
        fs.writeFileSync(acl, options.acl.join("\n") + "\n")
        args.push("--aclfile", acl)
      }
      if (options.requirepass !== undefined) args.push("--requirepass", options.requirepass)
      return [...args, ...(typeof options.args === "function" ? options.args() : (options.args ?? []))]
    }

    let child: ChildProcess | undefined
    let port = 0
    let busPort: number | undefined
    const stopNow = async () => {
      const running = child
      child = undefined
      if (running !== undefined) await kill(running)
    }
    yield* Effect.acquireRelease(
      attempt(async () => {
        for (let round = 1; ; round++) {
          port = await freePort()
          if (options.cluster === true) busPort = await freePort()
          try {
            child = await launch(file, argsFor(port, busPort), port, secure?.ca)
            return
          } catch (cause) {
            if (round === 5) throw cause
          }
        }
      }),
      () => Effect.promise(stopNow)
    )
    const signal = (name: NodeJS.Signals) => Effect.sync(() => void child?.kill(name))
    return {
      host: "127.0.0.1",
      port,
      busPort,
      url: `${secure === undefined ? "redis" : "rediss"}://127.0.0.1:${port}`,
      ca: secure?.ca,
      pid: () => child?.pid,
      stop: attempt(stopNow),
      start: attempt(async () => {
        if (child === undefined) child = await launch(file, argsFor(port, busPort), port, secure?.ca)
      }),
      pause: signal("SIGSTOP"),
      resume: signal("SIGCONT"),
      raw: (...args) => attempt(() => exchange(port, args, secure?.ca))
    }
  })

/** A Redis for the tests that ask for it. `RedisServer.scoped()` for one, `RedisServer.layer()` to share it. */
export class RedisServer extends Context.Service<RedisServer, RunningRedis>()("effect-cache/test/RedisServer") {
  static readonly scoped = scoped
  static readonly layer = (options?: RedisServerOptions): Layer.Layer<RedisServer, RedisServerError> =>
    Layer.effect(RedisServer, scoped(options))
}
