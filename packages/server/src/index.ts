export * as AdminApi from "./AdminApi.ts"
