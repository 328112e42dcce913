/** The rule of a schedule in plain words; as it is written beside that. */
import type { ScheduleSummary } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { everyInWords, inWords } from "../text/cron.ts"
import { Text } from "./Text.tsx"

/** A cron in plain words; undefined: it is none, or they are still being loaded. */
export const useCronInWords = (cron: string): string | undefined =>
  useQuery({
    queryKey: ["cron", cron],
    queryFn: () => inWords(cron),
    enabled: cron !== "",
    staleTime: Infinity,
    retry: false,
    refetchInterval: false
  }).data

export const Rule = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const { cron = "", intervalMs, timeZone } = schedule
  const words = useCronInWords(cron)
  if (intervalMs !== undefined) return <span>{everyInWords(intervalMs)}</span>
  return (
    <span>
      {words === undefined ? null : `${words} `}
      <span className="muted">
        <Text mono>{cron}</Text>
        {timeZone === undefined ? null : <Text>{` (${timeZone})`}</Text>}
      </span>
    </span>
  )
}
