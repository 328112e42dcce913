/** For the test of the launcher: starts a server, says where, and waits to be killed. */
import { setInterval } from "node:timers"
import { startPostgres } from "./server.ts"

const server = await startPostgres()
console.log(JSON.stringify({ pid: server.pid, url: server.url }))
setInterval(() => {}, 60_000)
