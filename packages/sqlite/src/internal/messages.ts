/** The contract's reads of messages, events and streams, each over one snapshot. */
import type { MessageStore } from "perdure/Store"
import type { Connections } from "./connections.ts"
import * as Entry from "./entry.ts"
import * as Event from "./event.ts"
import * as Mailbox from "./mailbox.ts"
import * as Message from "./message.ts"

export const messages = (connections: Connections): MessageStore => ({
  messages: (workflowId, options) =>
    connections.read("read messages", (database) => Message.messages(database, workflowId, options)),
  inboxes: (workflowIds) => connections.read("read inboxes", (database) => Mailbox.inboxes(database, workflowIds)),
  eventValues: (events) =>
    connections.read(
      "read events",
      (database) => events.map(({ key, workflowId }) => Event.answer(database, workflowId, key))
    ),
  events: (workflowId, page) => connections.read("read events", (database) => Event.events(database, workflowId, page)),
  readStreams: (reads) =>
    connections.read("read streams", (database) => reads.map((read) => Entry.read(database, read))),
  streams: (workflowId) => connections.read("list streams", (database) => Entry.streams(database, workflowId))
})
