/** Signing in and out. The token goes to the server once, for a cookie that scripts cannot read; it is kept nowhere. */
import { ask } from "./client.ts"
import { queryClient } from "./queries.ts"

export const signIn = async (token: string): Promise<void> => {
  await ask((api) => api.open.login({ payload: { token } }))
  await queryClient.resetQueries()
}

export const signOut = async (): Promise<void> => {
  await ask((api) => api.open.logout())
  // Nothing that was seen stays for who comes next.
  queryClient.clear()
  location.reload()
}
