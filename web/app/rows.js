// The table of rows, newest first. It reveals more rows on demand.

import { element, formatDate, formatPrice, formatWhole } from "/assets/format.js";

const COLUMNS = [
  ["date", "Date"],
  ["open", "Open"],
  ["high", "High"],
  ["low", "Low"],
  ["close", "Close"],
  ["adjustedClose", "Adjusted close"],
  ["volume", "Volume"],
];
const FIRST_ROWS = 25;
const MORE_ROWS = 100;
const head = document.querySelector("#rows-head");
const body = document.querySelector("#rows-body");
const more = document.querySelector("#more");
const caption = document.querySelector("#rows-caption");

let rows = [];
let columns = [];
let fetchNext;

/** Shows rows (newest first). `next` fetches older ones; it is null if there are none. */
export function showRows(all, description, next) {
  rows = all;
  fetchNext = next;
  columns = COLUMNS.filter(([name]) => all.length && all[0][name] !== undefined);
  head.replaceChildren(...columns.map(([, title]) => element("th", { scope: "col" }, title)));
  caption.textContent = `${description}, newest first`;
  body.replaceChildren();
  reveal();
}

/** Adds rows that were fetched after a click on "More". */
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
  const to = from + (from ? MORE_ROWS : FIRST_ROWS);
  body.append(...rows.slice(from, to).map(rowElement));
  more.hidden = body.children.length >= rows.length && !fetchNext;
}

function rowElement(row) {
  const cells = columns.map(([name]) => {
    if (name === "date") {
      const date = element("time", { datetime: row.date }, formatDate(row.date));
      return element("th", { scope: "row", tabindex: "-1" }, date);
    }
    const text = name === "volume" ? formatWhole(row.volume) : formatPrice(row[name]);
    return element("td", {}, element("data", { value: row[name] }, text));
  });
  return element("tr", {}, ...cells);
}
