// The stock search: a combobox with a list, as in the ARIA Authoring Practices.

import { getJson, path } from "/assets/api.js";
import { element } from "/assets/format.js";

const box = document.querySelector("#search");
const list = document.querySelector("#found");
/** Wait until typing pauses, as each request counts towards the limit. */
const DEBOUNCE_MS = 200;
const SHOWN_MAX = 8;
const CACHED_MAX = 50;

let stocks = [];
/** The index of the highlighted stock, or -1. */
let active = -1;
let timer;
let request;
/** Stocks by search text. */
const cache = new Map();

/** Calls `onChoose` with the chosen stock, and `onError` with errors. */
export function watchSearch(onChoose, onError) {
  const pick = (stock) => {
    close();
    box.value = stock.id;
    onChoose(stock);
  };
  const showMatches = () => search(box.value.trim())
    .then(open, (error) => error.name !== "AbortError" && onError(error));
  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(showMatches, DEBOUNCE_MS);
  });
  box.addEventListener("focus", () => { box.select(); });
  box.addEventListener("click", () => { if (list.hidden) showMatches(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) showMatches();
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(timer);
      if (active >= 0) pick(stocks[active]);
      else if (box.value.trim()) pick({ id: symbol(box.value.trim()) });
    } else if (event.key === "Escape") {
      close();
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const index = [...list.children].indexOf(event.target.closest("li"));
    if (stocks[index]) pick(stocks[index]);
  });
  box.addEventListener("blur", close);
}

/** Mixed case stays: the preferred share BCpC is not BCPC. */
function symbol(text) { return text === text.toLowerCase() ? text.toUpperCase() : text; }

export function showChosen(symbol) { box.value = symbol; }

/** Clears the cache: another key may see other results. */
export function clearSearchCache() { cache.clear(); }

async function search(text) {
  request?.abort();
  if (cache.has(text)) return cache.get(text);
  request = new AbortController();
  const url = path("/api/stocks", { q: text, limit: SHOWN_MAX });
  const { stocks: found } = await getJson(url, request.signal);
  if (cache.size >= CACHED_MAX) cache.clear();
  cache.set(text, found);
  return found;
}

function open(found) {
  if (document.activeElement !== box) return;
  stocks = found;
  active = -1;
  const option = (stock, index) => element(
    "li",
    { role: "option", id: `found-${index}`, "aria-selected": "false" },
    element("b", {}, stock.id),
    element("span", {}, stock.name),
  );
  const none = element(
    "li",
    { role: "option", class: "none", "aria-disabled": "true", "aria-selected": "false" },
    "No matching stock",
  );
  list.replaceChildren(...(found.length ? found.map(option) : [none]));
  list.hidden = false;
  box.setAttribute("aria-expanded", "true");
}

/** Moves the highlight by `step`, and from one end of the list to the other. */
function move(step) {
  if (!stocks.length) return;
  active = (active + step + stocks.length + (active < 0 && step < 0 ? 1 : 0)) % stocks.length;
  [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === active)));
  list.children[active].scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", `found-${active}`);
}

function close() {
  clearTimeout(timer);
  request?.abort();
  list.hidden = true;
  active = -1;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}
