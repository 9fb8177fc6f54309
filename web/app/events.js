// The splits and dividends of a stock.

import { getJson } from "/assets/api.js";
import { element, formatDate, formatPrice } from "/assets/format.js";

const section = document.querySelector("#events");
const list = document.querySelector("#events-list");
const none = document.querySelector("#events-none");

/** Returns the events of a stock, newest first. */
export async function getEvents(symbol, signal) {
  const path = `/api/stocks/${encodeURIComponent(symbol)}/events?limit=1000`;
  const { events } = await getJson(path, signal);
  return events;
}

/** Shows the events from `start` to `end` and returns them. */
export function showEvents(events, start, end) {
  const inRange = events.filter(({ date }) => date >= start && (!end || date <= end));
  none.textContent = inRange.length ? "" : "None in this range.";
  none.hidden = inRange.length > 0;
  list.hidden = !inRange.length;
  list.replaceChildren(...inRange.map((event) => {
    const date = element("time", { datetime: event.date }, formatDate(event.date));
    return element("li", {}, date, element("span", {}, describe(event)));
  }));
  section.hidden = false;
  return inRange;
}

function describe(event) {
  if (event.kind === "split") return `Split, ${event.splitTo} for ${event.splitFrom}`;
  return `Dividend, ${formatPrice(event.dividend)} per share`;
}
