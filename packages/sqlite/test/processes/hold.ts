/** Holds the write lock of a database until it is told a line. */
import { once } from "node:events"
import { DatabaseSync } from "node:sqlite"

const database = new DatabaseSync(process.argv[2]!)
database.exec("BEGIN IMMEDIATE")
console.log("held")
await once(process.stdin, "data")
database.exec("COMMIT")
console.log("released")
process.stdin.destroy()
