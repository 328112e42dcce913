/** A process that the demo has started ends with it, however the demo ends. Started in another way, it stays. */
export const stopWithParent = (): void => {
  if (process.channel === undefined) return
  process.once("disconnect", () => process.exit(1))
  process.channel?.unref()
}
