// Requests to the API of this server, and the state of the limit that its responses report.

/** An error with a sentence for people; `code` is the code of the API if there is one. */
export class Problem extends Error {
  constructor(sentence, code, status) {
    super(sentence);
    this.code = code;
    this.status = status;
  }
}

let key = "";
let limitListener = () => {};

export function useKey(value) { key = value; }
export function currentKey() { return key; }

/** Calls `listener` with {limit, remaining, resetAt} after each response that reports them. */
export function onLimit(listener) { limitListener = listener; }

/** Returns the JSON at this path. Throws a Problem, or an AbortError if `signal` aborts. */
export async function getJson(path, signal) {
  let response;
  try {
    const headers = { "X-API-Key": key, Accept: "application/json" };
    response = await fetch(path, { headers, signal, credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("This server is unreachable. Check your connection and try again.", "unreachable");
  }
  reportLimit(response.headers);
  const body = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (response.ok && body) return body;
  throw new Problem(sentence(body?.detail, response.status), body?.code, response.status);
}

function reportLimit(headers) {
  const [limit, remaining, resetAt] = ["limit", "remaining", "reset"]
    .map((name) => headers.get(`x-ratelimit-${name}`))
    .map((value) => (value === null ? NaN : Number(value)));
  const windowS = Number(headers.get("ratelimit-policy")?.match(/;w=(\d+)/)?.[1] ?? NaN);
  if (Number.isFinite(limit) && Number.isFinite(remaining)) {
    limitListener({ limit, remaining, resetAt, windowS });
  }
}

function sentence(detail, status) {
  if (!detail) return `This server responded with status ${status} and gave no reason.`;
  return `${detail[0].toUpperCase()}${detail.slice(1)}${detail.endsWith(".") ? "" : "."}`;
}

/** Returns a path with these parameters. Empty ones are omitted. */
export function path(base, parameters) {
  const present = Object.entries(parameters)
    .filter(([, value]) => value !== undefined && value !== null && value !== "");
  return present.length ? `${base}?${new URLSearchParams(present)}` : base;
}
