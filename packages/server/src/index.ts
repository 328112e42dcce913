export * as AdminAccess from "./AdminAccess.ts"
export * as AdminApi from "./AdminApi.ts"
export * as AdminServer from "./AdminServer.ts"
