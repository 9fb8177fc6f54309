// Splits and dividends of a stock.

import { ask } from "/assets/api.js";
import { element, inDay, inPrice } from "/assets/format.js";

const section = document.querySelector("#events");
const list = document.querySelector("#events-list");
const none = document.querySelector("#events-none");

/** The events of a stock, newest first. */
export async function eventsOf(symbol, signal) {
  const { events } = await ask(`/api/stocks/${encodeURIComponent(symbol)}/events?limit=1000`, signal);
  return events;
}

export function showEvents(events, start, end) {
  const within = events.filter(({ date }) => date >= start && (!end || date <= end));
  none.textContent = within.length ? "" : "None in this range.";
  none.hidden = within.length > 0;
  list.hidden = !within.length;
  list.replaceChildren(...within.map((event) =>
    element("li", {}, element("time", { datetime: event.date }, inDay(event.date)), element("span", {}, inWords(event)))));
  section.hidden = false;
  return within;
}

function inWords(event) {
  if (event.kind === "split") return `Split, ${event.splitTo} for ${event.splitFrom}`;
  return `Dividend, ${inPrice(event.dividend)} a share`;
}
