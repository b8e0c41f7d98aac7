/**
 * SHA-256 by Node's own code where there is any: it is some eight times as fast, which counts where all of a body is read. It is asked
 * for while the program runs, so that bundles for browsers hold no module of Node.
 */
import { sha256 as portable } from "@noble/hashes/sha2.js"

interface Crypto {
  readonly createHash: (name: "sha256") => {
    readonly update: (bytes: Uint8Array) => { readonly digest: () => Uint8Array }
  }
}
interface Process {
  readonly getBuiltinModule?: (name: string) => Partial<Crypto> | undefined
}

const { process } = globalThis as { readonly process?: Process }
const createHash = process?.getBuiltinModule?.("node:crypto")?.createHash

export const sha256: (bytes: Uint8Array) => Uint8Array =
  createHash === undefined ? portable : (bytes) => createHash("sha256").update(bytes).digest()
