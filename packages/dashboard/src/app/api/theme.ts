/** Light, dark, or as the system says. */
import { useSyncExternalStore } from "react"

export const themes = ["system", "light", "dark"] as const
export type Theme = (typeof themes)[number]

const key = "perdure.theme"

/** Storage may be forbidden; then it lasts as long as the page. */
const stored = (): Theme => {
  try {
    const value = localStorage.getItem(key)
    return themes.find((theme) => theme === value) ?? "system"
  } catch {
    return "system"
  }
}

let theme: Theme = stored()
const listeners = new Set<() => void>()

export const applyTheme = (next: Theme = theme): void => {
  theme = next
  if (next === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = next
  try {
    localStorage.setItem(key, next)
  } catch {
    // Not remembered.
  }
  for (const listener of listeners) listener()
}

export const useTheme = (): Theme =>
  useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }, () => theme)

export const nextTheme = (): Theme => themes[(themes.indexOf(theme) + 1) % themes.length] ?? "system"
