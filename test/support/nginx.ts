/**
 * A real nginx before a server: found on this host or installed, as the user who runs the tests, in a folder of its own, gone when the
 * scope closes.
 */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import { Effect, type Scope } from "effect"
import { delay, freePort, kill, type Program, programPath, track } from "./programs.ts"

const program: Program = {
  names: ["nginx"],
  package: "nginx-light",
  advice:
    "Install nginx so that it is on the PATH: `apt-get install nginx-light` (Debian, Ubuntu), `brew install nginx` (macOS)."
}

interface Before {
  /** The port of the server behind it. */
  readonly upstream: number
}

export interface NginxOptions extends Before {
  /** Whether it keeps what it may, by its defaults. `X-Nginx` says then how it went: `MISS`, `HIT`, `EXPIRED`... */
  readonly cache: boolean
  /** Further lines for the location, such as `proxy_set_header Host $host;`. */
  readonly location?: string | undefined
}

/** What stands in the block `http`, for port 8080, a server on port 3000 behind it, and a cache in `/var/cache/nginx`. */
export interface NginxFile extends Before {
  readonly file: string
}

const serverOf = (folder: string, port: number, options: NginxOptions | NginxFile): string => {
  const { upstream } = options
  if ("file" in options) {
    return options.file
      .replaceAll("/var/cache/nginx", folder)
      .replaceAll("listen 8080", `listen 127.0.0.1:${port}`)
      .replaceAll("127.0.0.1:3000", `127.0.0.1:${upstream}`)
  }
  const { cache, location = "" } = options
  return `
  proxy_cache_path ${folder}/cache keys_zone=pages:1m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${upstream};
      proxy_http_version 1.1;
      ${cache ? "proxy_cache pages; add_header X-Nginx $upstream_cache_status;" : ""}
      ${location}
    }
  }`
}

// One process in the foreground: when it is killed, nothing is left.
const configuration = (folder: string, port: number, options: NginxOptions | NginxFile): string => `
daemon off;
master_process off;
pid ${folder}/pid;
error_log ${folder}/errors;
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/temporary;`).join(" ")}
  ${serverOf(folder, port, options)}
}
`

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const launch = async (file: string, folder: string, options: NginxOptions | NginxFile) => {
  const port = await freePort()
  const config = path.join(folder, "nginx.conf")
  fs.writeFileSync(config, configuration(folder, port, options))
  const child = spawn(file, ["-p", folder, "-c", config, "-e", path.join(folder, "errors")], { stdio: "ignore" })
  track(child)
  const gone = new Promise<never>((_, reject) => {
    child.once("error", reject)
    child.once("exit", () => reject(new Error(`nginx ended: ${fs.readFileSync(path.join(folder, "errors"), "utf8")}`)))
  })
  const ready = async () => {
    for (let round = 0; round < 400; round++) {
      if (await connects(port)) return
      await delay(25)
    }
    throw new Error("nginx did not listen")
  }
  try {
    await Promise.race([ready(), gone])
  } catch (cause) {
    await kill(child)
    throw cause
  }
  // It ends when it is told to.
  gone.catch(() => undefined)
  return { child, port }
}

/** Starts one, and gives the port it listens on. */
export const nginx = (options: NginxOptions | NginxFile): Effect.Effect<number, never, Scope.Scope> =>
  Effect.gen(function*() {
    const file = yield* Effect.promise(() => programPath(program))
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "effect-cache-nginx-"))),
      (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true }))
    )
    const { port } = yield* Effect.acquireRelease(
      Effect.promise(async (): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
        for (let round = 1; ; round++) {
          try {
            return await launch(file, folder, options)
          } catch (cause) {
            // Somebody else may have taken the port.
            if (round === 5) throw cause
          }
        }
      }),
      ({ child }) => Effect.promise(() => kill(child))
    )
    return port
  })
