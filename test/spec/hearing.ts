/** What a program logs, as a test hears it. */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

export interface Heard {
  readonly message: unknown
  /** What is said with every message, without being asked. */
  readonly annotations: Readonly<Record<string, unknown>>
}

/** A layer in whose scope every message is heard, and what has been. */
export const hearing = () => {
  const heard: Array<Heard> = []
  const logger = Logger.make(({ fiber, message }) => {
    const [only, ...others] = Array.isArray(message) ? message : [message]
    heard.push({
      message: others.length === 0 ? only : message,
      annotations: fiber.getRef(References.CurrentLogAnnotations)
    })
  })
  return {
    heard,
    layer: Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, "Info"))
  }
}
