/** Rules of schedules in words. cronstrue is loaded where one is shown. */
import { duration } from "./time.ts"

export const inWords = async (cron: string): Promise<string> => {
  const { toString } = await import("cronstrue")
  return toString(cron, { use24HourTimeFormat: true, verbose: false })
}

export const everyInWords = (intervalMs: number): string => `Every ${duration(intervalMs)}`
