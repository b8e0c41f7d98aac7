import { memoryWorld } from "../support/client.ts"
import { sharing } from "./sharing.ts"

sharing("memory", memoryWorld())
