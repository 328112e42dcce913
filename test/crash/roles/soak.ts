export { play } from "../../soak/executor.ts"
