// The table: newest first, some rows at a time.

import { element, inDay, inPrice, inWhole } from "/assets/format.js";

const COLUMNS = [
  ["date", "Date"],
  ["open", "Open"],
  ["high", "High"],
  ["low", "Low"],
  ["close", "Close"],
  ["adjustedClose", "Adjusted close"],
  ["volume", "Volume"],
];
const STEP = 25;
const head = document.querySelector("#rows-head");
const body = document.querySelector("#rows-body");
const more = document.querySelector("#more");
const caption = document.querySelector("#rows-caption");

let rows = [];
let columns = [];
let fetchNext;

/** Shows rows (newest first); `next` fetches older ones, or is null where there are none. */
export function showRows(all, about, next) {
  rows = all;
  fetchNext = next;
  columns = COLUMNS.filter(([name]) => all.length && all[0][name] !== undefined);
  head.replaceChildren(...columns.map(([, title]) => element("th", { scope: "col" }, title)));
  caption.textContent = `${about}, newest first`;
  body.replaceChildren();
  reveal();
}

/** Rows that came after a press of "More". */
export function addRows(older, next) {
  rows = rows.concat(older);
  fetchNext = next;
  reveal();
}

more.addEventListener("click", async () => {
  const first = body.children.length;
  if (first >= rows.length && fetchNext) await fetchNext();
  else reveal();
  body.children[first]?.querySelector("th")?.focus();
});

function reveal() {
  const from = body.children.length;
  body.append(...rows.slice(from, from + STEP).map(rowOf));
  more.hidden = body.children.length >= rows.length && !fetchNext;
}

function rowOf(row) {
  const cells = columns.map(([name]) => {
    if (name === "date") return element("th", { scope: "row", tabindex: "-1" }, element("time", { datetime: row.date }, inDay(row.date)));
    const text = name === "volume" ? inWhole(row.volume) : inPrice(row[name]);
    return element("td", {}, element("data", { value: row[name] }, text));
  });
  return element("tr", {}, ...cells);
}
