// The request for what is shown, for a terminal, a notebook and a spreadsheet. A spreadsheet sends no headers: it is left
// out where the server takes no key in a URL.

import { currentKey } from "/assets/api.js";
import { element } from "/assets/format.js";

const PLACEHOLDER = "YOUR_KEY";
const place = document.querySelector("#snippets");
const withKey = document.querySelector("#with-key");
const news = document.querySelector("#news");
const keyInQuery = "keyInQuery" in document.documentElement.dataset;
let shown = "";

withKey.addEventListener("change", () => showSnippets(shown));

/** `asked` is the path and query of what is shown. */
export function showSnippets(asked) {
  shown = asked;
  const key = (withKey.checked && currentKey()) || PLACEHOLDER;
  const url = new URL(asked, location.origin);
  place.replaceChildren(...[
    ["Terminal", `curl -H 'X-API-Key: ${key}' \\\n  '${url}'`],
    ["Python", python(url, key)],
    ...(keyInQuery ? [["Spreadsheet", sheet(url, key)]] : []),
  ].map(([title, text]) => snippet(title, text)));
}

export function forgetKeyInSnippets() { withKey.checked = false; }

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

function sheet(url, key) {
  const asked = new URL(url);
  // Lines have everything where no limit is set.
  asked.searchParams.delete("limit");
  asked.searchParams.set("format", "csv");
  asked.searchParams.set("apikey", key);
  return `=IMPORTDATA("${asked}")`;
}

function snippet(title, text) {
  const button = element("button", { type: "button", "aria-label": `Copy for ${title.toLowerCase()}` }, "Copy");
  const pre = element("pre", { tabindex: "0", "aria-label": title }, element("code", {}, text));
  button.addEventListener("click", async () => {
    const copied = await copy(text);
    // Where a page may not copy (only https and this machine may), the text is selected for whoever does.
    if (!copied) getSelection().selectAllChildren(pre);
    button.textContent = copied ? "Copied" : "Selected";
    news.textContent = copied ? `Copied for ${title.toLowerCase()}` : "Selected: copy it with your keyboard";
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
