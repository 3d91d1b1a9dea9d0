// Callbacks for tests, over a client of their own.
import assert from "node:assert/strict";
import { Callbacks } from "./callbacks";
import { JournalFolder } from "./journal";
import type { Client } from "./opencode";

export const callbacksOver = (client: Client, directory = ".") =>
  new Callbacks({
    directory,
    journal: new JournalFolder(directory, assert.fail, directory),
    client: () => client,
    whenReady: (action) => action(),
    isStarting: () => false,
    isDraining: () => false,
    isHeadless: false,
    wantsToasts: () => false,
    onAlarm: () => undefined,
    onAnswer: () => undefined,
  });
