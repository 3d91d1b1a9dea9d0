// OpenCode's errors as the core's faults.
import type { Fault } from "./generated/contract";

/** The message in any error-like value; never "[object Object]". */
export function messageOf(error: unknown): string {
  if (typeof error === "string") return error;
  if (isObject(error)) {
    for (const from of [error, error["data"], error["error"]]) {
      if (isObject(from) && typeof from["message"] === "string" && from["message"] !== "")
        return from["message"];
    }
    if (typeof error["name"] === "string") return error["name"];
  }
  try {
    return JSON.stringify(error) ?? "unknown error";
  } catch {
    return "unknown error";
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** What a session's or a message's error means. The names are OpenCode's. */
export function faultOf(error: unknown): Fault {
  const name = isObject(error) && typeof error["name"] === "string" ? error["name"] : "";
  const message = messageOf(error);
  const data = isObject(error) && isObject(error["data"]) ? error["data"] : {};
  switch (name) {
    case "MessageAbortedError":
      return "cancelled";
    case "ContextOverflowError":
      return "contextOverflow";
    case "NotFoundError":
      return { sessionLost: { message } };
    case "ProviderAuthError":
      return { refused: { message } };
    case "APIError": {
      const status = typeof data["statusCode"] === "number" ? data["statusCode"] : undefined;
      if (status === 429) return { rateLimited: { retryAfterMs: retryAfter(data), message } };
      if (data["isRetryable"] === true || status === undefined || status >= 500)
        return { unavailable: { message } };
      return { refused: { message: `${status}: ${message}` } };
    }
    default:
      return { agentFailed: { message } };
  }
}

function retryAfter(data: Record<string, unknown>): number | null {
  const headers = isObject(data["responseHeaders"]) ? data["responseHeaders"] : {};
  const ms = Number(headers["retry-after-ms"]);
  if (Number.isFinite(ms) && ms > 0) return Math.round(ms);
  const raw = headers["retry-after"];
  const seconds = Number(raw);
  if (Number.isFinite(seconds) && seconds > 0) return Math.round(seconds * 1000);
  const date = typeof raw === "string" ? Date.parse(raw) - Date.now() : NaN;
  return Number.isFinite(date) && date > 0 ? Math.round(date) : null;
}

/** The fault of a client call that did not do what was asked. */
export function callFault(error: unknown, status: number | undefined): Fault {
  const message = messageOf(error);
  if (status === 404 || (isObject(error) && error["name"] === "NotFoundError")) {
    return { sessionLost: { message } };
  }
  if (status !== undefined && status >= 400 && status < 500) return { refused: { message } };
  return { unavailable: { message } };
}
