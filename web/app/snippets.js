// The request for the shown rows as code, for a terminal, Python and a spreadsheet. Spreadsheets
// can't send headers, so theirs is omitted if the server accepts no key in a URL.

import { currentKey } from "/assets/api.js";
import { element } from "/assets/format.js";

const PLACEHOLDER = "YOUR_KEY";
const container = document.querySelector("#snippets");
const withKey = document.querySelector("#with-key");
const announcement = document.querySelector("#news");
const keyInQuery = "keyInQuery" in document.documentElement.dataset;
let shownPath = "";

withKey.addEventListener("change", () => showSnippets(shownPath));

/** `path` is the path and query of the shown rows. */
export function showSnippets(path) {
  shownPath = path;
  const key = (withKey.checked && currentKey()) || PLACEHOLDER;
  const url = new URL(path, location.origin);
  container.replaceChildren(...[
    ["Terminal", `curl -H 'X-API-Key: ${key}' \\\n  '${url}'`],
    ["Python", python(url, key)],
    ...(keyInQuery ? [["Spreadsheet", spreadsheet(url, key)]] : []),
  ].map(([title, text]) => snippet(title, text)));
}

export function hideKeyInSnippets() { withKey.checked = false; }

function python(url, key) {
  return `import requests

url, prices = "${url}", []
while url:
    answer = requests.get(url, headers={"X-API-Key": "${key}"}, timeout=10)
    answer.raise_for_status()
    page = answer.json()
    prices += page["prices"]
    url = page["next"] and "${url.origin}" + page["next"]`;
}

function spreadsheet(url, key) {
  const csv = new URL(url);
  // CSV without a limit contains all rows.
  csv.searchParams.delete("limit");
  csv.searchParams.set("format", "csv");
  csv.searchParams.set("apikey", key);
  return `=IMPORTDATA("${csv}")`;
}

function snippet(title, text) {
  const button = element("button", { type: "button", "aria-label": `Copy for ${title.toLowerCase()}` }, "Copy");
  const pre = element("pre", { tabindex: "0", "aria-label": title }, element("code", {}, text));
  button.addEventListener("click", async () => {
    const copied = await copy(text);
    // Browsers allow copying only over HTTPS and on localhost. Otherwise the text is selected.
    if (!copied) getSelection().selectAllChildren(pre);
    button.textContent = copied ? "Copied" : "Selected";
    announcement.textContent = copied
      ? `Copied for ${title.toLowerCase()}`
      : "Selected: copy it with your keyboard";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return element("div", { class: "snippet" }, element("div", {}, element("h4", {}, title), button), pre);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
