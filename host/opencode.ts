// The part of OpenCode's plugin API that is used here, typed at the edge. Everything that arrives is untrusted.

/** What OpenCode's client answers: it does not throw, it fills `error`. */
export interface Answer<T> {
  data?: T;
  error?: unknown;
  response?: { status?: number };
}

export interface TextPart {
  type: "text";
  text: string;
  synthetic?: boolean;
  metadata?: Record<string, unknown>;
}

export interface PromptBody {
  messageID: string;
  agent?: string;
  model?: { providerID: string; modelID: string };
  parts: TextPart[];
}

export interface MessageInfo {
  id?: string;
  parentID?: string;
  role?: string;
  finish?: string;
  error?: unknown;
  summary?: unknown;
  cost?: number;
  tokens?: Tokens;
  sessionID?: string;
}

export interface StoredPart {
  type?: string;
  text?: string;
  synthetic?: boolean;
  ignored?: boolean;
  metadata?: Record<string, unknown>;
}

export interface Message {
  info?: MessageInfo;
  parts?: StoredPart[];
}

export interface PermissionRule {
  permission: string;
  pattern: string;
  action: "allow" | "ask" | "deny";
}

/** An agent as OpenCode lists it. */
export interface Agent {
  name?: string;
  mode?: string;
  model?: { providerID?: string; modelID?: string };
}

export interface Tokens {
  input?: number;
  output?: number;
  reasoning?: number;
  cache?: { read?: number; write?: number };
}

interface ById {
  path: { id: string };
}

export interface Client {
  session: {
    create(request: {
      body: { parentID: string; title: string; permission?: PermissionRule[] };
    }): Promise<Answer<{ id: string }>>;
    children(request: ById): Promise<Answer<{ id?: string; title?: string }[]>>;
    prompt(request: ById & { body: PromptBody }): Promise<Answer<unknown>>;
    promptAsync(request: ById & { body: PromptBody }): Promise<Answer<unknown>>;
    abort(request: ById): Promise<Answer<unknown>>;
    delete(request: ById): Promise<Answer<unknown>>;
    todo(request: ById): Promise<Answer<unknown>>;
    messages(request: ById & { query: { limit: number } }): Promise<Answer<Message[]>>;
    message(request: { path: { id: string; messageID: string } }): Promise<Answer<unknown>>;
    status(): Promise<Answer<Record<string, { type?: string }>>>;
  };
  provider: {
    auth(): Promise<Answer<unknown>>;
  };
  instance: {
    dispose(): Promise<Answer<unknown>>;
  };
  tui: {
    showToast(request: {
      body: { title?: string; message: string; variant: string };
    }): Promise<Answer<unknown>>;
  };
  app: {
    agents(): Promise<Answer<Agent[]>>;
    log(request: { body: { service: string; level: string; message: string } }): Promise<Answer<unknown>>;
  };
  /** The client below, for routes that the v1 client has no method for. */
  _client: {
    post(request: { url: string; body: unknown; headers?: Record<string, string> }): Promise<Answer<unknown>>;
  };
}

export interface PluginInput {
  client: Client;
  directory: string;
}

/** OpenCode's configuration, as far as the plugin adds to it. */
export interface Config {
  permission?: unknown;
  agent?: Record<string, AgentConfig | undefined>;
  command?: Record<string, CommandConfig | undefined>;
}

export interface AgentConfig {
  description?: string;
  mode?: string;
  prompt?: string;
  permission?: unknown;
  disable?: boolean;
}

export interface CommandConfig {
  template?: string;
  description?: string;
  agent?: string;
}

export interface OpenCodeEvent {
  id?: string;
  type: string;
  properties: Record<string, unknown>;
}

/** `synthetic` text goes to the model and is not drawn, `ignored` text is drawn and does not go to the model. */
export interface CommandPart {
  type: string;
  text?: string;
  synthetic?: boolean;
  ignored?: boolean;
}

export interface ToolContext {
  sessionID: string;
  callID?: string;
  agent?: string;
  abort: AbortSignal;
  /** Resolves when it is allowed, at once or by the person; else it throws. */
  ask?(request: {
    permission: string;
    patterns: string[];
    always: string[];
    metadata: Record<string, unknown>;
  }): Promise<void>;
}

/** A tool of the plugin. `args` are the properties of its arguments as JSON schemas; OpenCode marks all as required. */
export interface ToolDefinition {
  description: string;
  args: Record<string, unknown>;
  execute(args: unknown, context: ToolContext): Promise<string>;
}

export interface Hooks {
  tool?: Record<string, ToolDefinition>;
  config?(config: Config): Promise<void>;
  event?(input: { event: OpenCodeEvent }): Promise<void>;
  "chat.message"?(
    input: { sessionID: string },
    output: {
      message: { id?: string; agent?: string; model?: { providerID?: string; modelID?: string } };
      parts: { type: string; text?: string; metadata?: Record<string, unknown> }[];
    },
  ): Promise<void>;
  "command.execute.before"?(
    input: { command: string; sessionID: string; arguments: string },
    output: { parts: CommandPart[] },
  ): Promise<void>;
  "tool.execute.before"?(
    input: { tool: string; sessionID: string; callID: string },
    output: { args: unknown },
  ): Promise<void>;
  "tool.execute.after"?(
    input: { tool: string; sessionID: string; callID: string; args: unknown },
    output: { output?: unknown; metadata?: unknown },
  ): Promise<void>;
  "experimental.text.complete"?(
    input: { sessionID: string; messageID: string },
    output: { text: string },
  ): Promise<void>;
  "experimental.session.compacting"?(
    input: { sessionID: string },
    output: { context: string[] },
  ): Promise<void>;
  "experimental.compaction.autocontinue"?(
    input: { sessionID: string },
    output: { enabled: boolean },
  ): Promise<void>;
  dispose?(): Promise<void>;
}

/** Whether this process is `opencode run`, where nobody can answer and the process ends at the first idle. */
export function isHeadlessRun(argv: readonly string[] = process.argv): boolean {
  const commands = new Set(["run", "serve", "web", "acp", "attach", "tui", "github", "pr", "debug", "agent"]);
  return argv.slice(2).find((arg) => commands.has(arg)) === "run";
}

let lastTime = 0;
let counter = 0;

/** A message id in OpenCode's own ascending form: 48 bits of time and count in hexadecimal, then 14 random characters. */
export function newMessageId(now = Date.now()): string {
  counter = now === lastTime ? counter + 1 : 0;
  lastTime = now;
  const ascending = ((BigInt(now) * 4096n + BigInt(counter)) & 0xffff_ffff_ffffn)
    .toString(16)
    .padStart(12, "0");
  const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let random = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(14))) random += letters[byte % letters.length];
  return `msg_${ascending}${random}`;
}
