// The box that finds stocks: a combobox with a list, as the ARIA Authoring Practices describe it.

import { ask, path } from "/assets/api.js";
import { element } from "/assets/format.js";

const box = document.querySelector("#search");
const list = document.querySelector("#found");
/** Typing goes on for a moment; each question counts against the limit. */
const PAUSE_MS = 200;
const SHOWN_MAX = 8;
const REMEMBERED_MAX = 50;

let stocks = [];
let active = -1;
let pause;
let asking;
const remembered = new Map();

/** Calls `chosen` with a stock, and `failed` with what went wrong. */
export function watchSearch(chosen, failed) {
  const pick = (stock) => {
    close();
    box.value = stock.id;
    chosen(stock);
  };
  const find = () => look(box.value.trim()).then(open, (fault) => fault.name !== "AbortError" && failed(fault));
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(find, PAUSE_MS);
  });
  box.addEventListener("focus", () => { box.select(); });
  box.addEventListener("click", () => { if (list.hidden) find(); });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) find();
      else move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(pause);
      if (active >= 0) pick(stocks[active]);
      else if (box.value.trim()) pick({ id: box.value.trim().toUpperCase() });
    } else if (event.key === "Escape") {
      close();
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const at = [...list.children].indexOf(event.target.closest("li"));
    if (stocks[at]) pick(stocks[at]);
  });
  box.addEventListener("blur", close);
}

export function showChosen(symbol) { box.value = symbol; }

/** Whoever has another key may see something else. */
export function forgetFound() { remembered.clear(); }

async function look(text) {
  asking?.abort();
  if (remembered.has(text)) return remembered.get(text);
  asking = new AbortController();
  const { stocks: found } = await ask(path("/api/stocks", { q: text, limit: SHOWN_MAX }), asking.signal);
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  remembered.set(text, found);
  return found;
}

function open(found) {
  if (document.activeElement !== box) return;
  stocks = found;
  active = -1;
  const option = (stock, at) => element("li", { role: "option", id: `found-${at}`, "aria-selected": "false" },
    element("b", {}, stock.id), element("span", {}, stock.name));
  const none = element("li", { role: "option", class: "none", "aria-disabled": "true", "aria-selected": "false" }, "No stock is called so");
  list.replaceChildren(...(found.length ? found.map(option) : [none]));
  list.hidden = false;
  box.setAttribute("aria-expanded", "true");
}

function move(by) {
  if (!stocks.length) return;
  active = (active + by + stocks.length + (active < 0 && by < 0 ? 1 : 0)) % stocks.length;
  [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === active)));
  list.children[active].scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", `found-${active}`);
}

function close() {
  clearTimeout(pause);
  list.hidden = true;
  active = -1;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
}
