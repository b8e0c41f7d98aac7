/**
 * Programs of the system that tests start: found on this host or installed, on free ports, gone with the tests.
 */
import { type ChildProcess, execFile } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"

export interface Program {
  /** What its file is called; the first that is found is taken. */
  readonly names: ReadonlyArray<string>
  /** What apt calls it. */
  readonly package: string
  /** How to install it by hand. */
  readonly advice: string
}

const find = (names: ReadonlyArray<string>): string | undefined => {
  const folders = [
    ...(process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder)),
    "/usr/bin",
    "/usr/local/bin",
    "/usr/sbin",
    "/opt/homebrew/bin"
  ]
  for (const folder of folders) {
    for (const name of names) {
      const file = path.join(folder, name)
      try {
        fs.accessSync(file, fs.constants.X_OK)
        return file
      } catch {
        // look on
      }
    }
  }
  return undefined
}

export const run = (file: string, args: ReadonlyArray<string>): Promise<void> =>
  new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 300_000 },
      (error, _out, stderr) =>
        error === null ? resolve() : reject(new Error(`${error.message}\n${stderr.slice(-500)}`))
    )
  })

const apt = "/usr/bin/apt-get"

export const delay = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Only root may install, and only where apt is; workers that want something at once take turns by a lock folder. */
const install = async (program: Program): Promise<string> => {
  const { advice, names } = program
  const root = process.getuid?.() === 0
  if (!root || !fs.existsSync(apt)) throw new Error(`No ${names[0]} found. ${advice}`)
  const lock = path.join(os.tmpdir(), "effect-cache-install.lock")
  for (;;) {
    const found = find(names)
    if (found !== undefined) return found
    try {
      fs.mkdirSync(lock)
      break
    } catch {
      const age = Date.now() - (fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age > 300_000) fs.rmSync(lock, { recursive: true, force: true })
      await delay(500)
    }
  }
  try {
    // A failed update may still leave lists good enough to install from.
    await run(apt, ["update"]).catch(() => undefined)
    await run(apt, ["install", "-y", "--no-install-recommends", program.package])
  } catch (cause) {
    throw new Error(
      `Installing ${program.package} failed: ${cause instanceof Error ? cause.message : cause}\n${advice}`
    )
  } finally {
    fs.rmSync(lock, { recursive: true, force: true })
  }
  const found = find(names)
  if (found === undefined) throw new Error(`apt-get installed no ${names[0]}. ${advice}`)
  return found
}

const installing = new Map<Program, Promise<string>>()

/** Where it is; installed first, where it is not there and this may be done. */
export const programPath = (program: Program): Promise<string> => {
  const found = find(program.names)
  if (found !== undefined) return Promise.resolve(found)
  const under = installing.get(program) ?? install(program)
  installing.set(program, under)
  return under
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/**
 * A port nobody listens on. Another process may take it before we do, so whoever uses it tries again. It lies below the
 * ports that systems give to outgoing connections: those could take the port of a server that is stopped for a while.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    if (await listens(port)) return port
  }
}

// A child must never outlive the tests, however they end.
const children = new Set<ChildProcess>()
let exitHook = false
export const track = (child: ChildProcess) => {
  if (!exitHook) {
    exitHook = true
    process.on("exit", () => {
      for (const child of children) child.kill("SIGKILL")
    })
  }
  children.add(child)
  child.once("exit", () => children.delete(child))
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** Kills it, and waits until it is gone. */
export const kill = (child: ChildProcess): Promise<void> =>
  ended(child)
    ? Promise.resolve()
    : new Promise((resolve) => {
        child.ref()
        child.once("exit", () => resolve())
        child.kill("SIGKILL")
      })
