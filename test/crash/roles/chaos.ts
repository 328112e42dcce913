export { play } from "../../chaos/executor.ts"
