// What src/sim/theatre gives, as JSON.
import type { KeyView, LimiterState, MissionView, Phase, TaskView } from "../../host/generated/contract.js";

export interface Story {
  id: string;
  title: string;
  about: string;
}

/** Which story, and what is different in it: all that a link holds. */
export interface Settings {
  story: string;
  seed?: number | null;
  agents?: number | null;
  todos?: number | null;
  step?: number | null;
  limit?: number | null;
  capacity?: number | null;
  latency?: number | null;
  failures?: number | null;
  faults?: number | null;
}

/** A value that holds from a moment on. */
export interface From<T> {
  n: number;
  value: T;
}

export type Lane = "plugin" | "tasks" | "person" | "faults";

export interface Mark {
  n: number;
  lane: Lane;
  kind: string;
  text: string;
}

export interface Level {
  limit: number;
  ceiling: number;
  inFlight: number;
  waiting: number;
  capacity: number | null;
  state: LimiterState;
}

export interface Why {
  n: number;
  at: number;
  by: "mission" | "limit";
  rule: string;
  text: string;
  law: string;
  facts: { name: string; value: string }[];
}

export interface Outcome {
  text: string;
  success: boolean;
  violation: string | null;
}

export interface Overview {
  settings: Settings;
  total: number;
  epoch: number;
  at: From<number>[];
  phases: From<Phase>[];
  turns: From<string>[];
  marks: Mark[];
  levels: From<Level>[];
  outcome: Outcome;
}

export interface Line {
  name: string;
  text: string;
}

export interface SessionPicture {
  id: string;
  parent: string | null;
  agent: string;
  title: string;
  state: string;
  leaked: boolean;
}

export interface TimerPicture {
  owner: string;
  purpose: string;
  due: number;
  leaked: boolean;
}

export interface Ceilings {
  iterations: number;
  withoutProgress: number;
  minutes: number;
  tokens: number;
}

export interface Picture {
  n: number;
  at: number;
  alive: boolean;
  happened: { event: Line; effects: Line[] }[];
  notes: string[];
  violation: string | null;
  mission: MissionView | null;
  phase: string;
  ceilings: Ceilings;
  tasks: TaskView[];
  sessions: SessionPicture[];
  timers: TimerPicture[];
  limits: KeyView[];
  capacity: number | null;
  leaks: number;
  journal: number;
  notices: { at: number; text: string }[];
  why: { past: number; of: number; newest: Why[] };
}

/** A decision that only the journal, or only today's rules, made. */
export interface Difference {
  n: number;
  at: number;
  recorded: string | null;
  today: string | null;
}
