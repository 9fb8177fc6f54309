// Questions to this server, what it says of the limit, and what it refuses.

/** What went wrong, as a sentence for people; `code` is that of the API where it had one. */
export class Problem extends Error {
  constructor(sentence, code, status) {
    super(sentence);
    this.code = code;
    this.status = status;
  }
}

let key = "";
let heard = () => {};

export function useKey(value) { key = value; }
export function currentKey() { return key; }

/** `listener` is told {limit, remaining, resetAt} after each answer that says so. */
export function onLimit(listener) { heard = listener; }

/** The JSON that is at this path, or a Problem. */
export async function ask(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { headers: { "X-API-Key": key, Accept: "application/json" }, signal, credentials: "omit" });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Problem("This server can't be reached: check your connection, then try again.", "unreachable");
  }
  tellLimit(answer.headers);
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Problem(sentence(body?.detail, answer.status), body?.code, answer.status);
}

function tellLimit(headers) {
  const [limit, remaining, resetAt] = ["limit", "remaining", "reset"]
    .map((name) => headers.get(`x-ratelimit-${name}`))
    .map((value) => (value === null ? NaN : Number(value)));
  if (Number.isFinite(limit) && Number.isFinite(remaining)) heard({ limit, remaining, resetAt });
}

function sentence(detail, status) {
  if (!detail) return `This server answered with status ${status} and did not say why.`;
  return `${detail[0].toUpperCase()}${detail.slice(1)}${detail.endsWith(".") ? "" : "."}`;
}

/** A path with these parameters; those that are empty are left out. */
export function path(base, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${base}?${new URLSearchParams(given)}` : base;
}
