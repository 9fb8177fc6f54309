// The page: a key, a stock, a range; then the same answer as a chart, a table and a request.

import { ask, path, useKey } from "/assets/api.js";
import { draw } from "/assets/chart.js";
import { eventsOf, showEvents } from "/assets/events.js";
import { element, inChange, inDay, inPrice } from "/assets/format.js";
import { mayForget, watchKey } from "/assets/key.js";
import { hideLimit, watchLimit } from "/assets/limit.js";
import { INTERVALS, RANGES, intervalOf, isEver, startOf } from "/assets/range.js";
import { addRows, showRows } from "/assets/rows.js";
import { forgetFound, showChosen, watchSearch } from "/assets/search.js";
import { forgetKeyInSnippets, showSnippets } from "/assets/snippets.js";

const ADJUSTMENTS = [["none", "Nothing"], ["splits", "Splits"], ["all", "Splits and dividends"]];
const BARS_MAX = 1000;
const TITLE = document.title;
const at = (id) => document.getElementById(id);
const [problem, news, welcome, view, stockView] = ["problem", "news", "welcome", "view", "stock"].map(at);

/** What is asked for; `quote` and `events` are those of the stock. Without an interval, the range chooses one. */
const shown = { stock: null, quote: null, events: [], range: "1Y", interval: "", start: "", end: "", adjust: "none" };
let loading;

watchLimit();
watchSearch((stock) => guarded(() => choose(stock)), fail);
buttons("ranges", RANGES.map((range) => [range, range]), (range) => setRange(range));
buttons("intervals", Object.entries(INTERVALS).map(([value, [text]]) => [value, text]), (interval) => {
  shown.interval = interval;
  guarded(show);
});
buttons("adjust", ADJUSTMENTS, (adjust) => { shown.adjust = adjust; guarded(show); });
for (const name of ["start", "end"]) {
  at(name).addEventListener("change", () => {
    if (!at(name).value && name === "start") return;
    Object.assign(shown, { [name]: at(name).value, range: "" });
    guarded(show);
  });
}
watchKey((key) => guarded(() => enter(key)));

async function enter(key) {
  forgetFound();
  useKey(key);
  mayForget(Boolean(key));
  if (!key) return leave();
  const { stocks } = await ask(path("/api/stocks", { limit: 1 }));
  welcome.hidden = true;
  view.hidden = false;
  const asked = new URLSearchParams(location.hash.slice(1)).get("stock");
  if (asked) await choose({ id: asked });
  else if (shown.stock) await choose(shown.stock);
  else at("search").focus();
  if (!stocks.length) throw new Error("This server has no stocks yet: its operator has to load some.");
}

function leave() {
  document.title = TITLE;
  Object.assign(shown, { stock: null, quote: null, events: [] });
  forgetKeyInSnippets();
  hideLimit();
  [view, stockView].forEach((part) => { part.hidden = true; });
  welcome.hidden = false;
  history.replaceState(null, "", location.pathname);
}

/** A stock, or only its symbol as somebody typed it. */
async function choose(stock) {
  const signal = anew();
  const base = `/api/stocks/${encodeURIComponent(stock.id)}`;
  const [{ stock: found }, quote, events] =
    await Promise.all([ask(base, signal), ask(`${base}/quote`, signal), eventsOf(stock.id, signal)]);
  Object.assign(shown, { stock: found, quote, events });
  showChosen(found.id);
  history.replaceState(null, "", `#${new URLSearchParams({ stock: found.id })}`);
  headline(found, quote);
  await setRange(shown.range || "1Y");
}

async function setRange(range) {
  Object.assign(shown, { range, interval: "", start: startOf(range, shown.quote.date), end: "" });
  await guarded(show);
}

async function show() {
  const signal = anew();
  const { stock, quote, start, end, adjust } = shown;
  const first = stock.firstDate && stock.firstDate > start ? stock.firstDate : start;
  const interval = shown.interval || intervalOf(first, end || quote.date);
  const asked = path(`/api/stocks/${encodeURIComponent(stock.id)}/prices`, {
    start: first,
    end,
    adjust: adjust === "none" ? "" : adjust,
    interval: interval === "1d" ? "" : interval,
    limit: BARS_MAX,
  });
  press("ranges", shown.range);
  press("intervals", interval);
  press("adjust", adjust);
  at("start").value = isEver(first) ? "" : first;
  at("end").value = end;
  showSnippets(asked);
  stockView.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(asked, signal);
    stockView.hidden = false;
    present(answer, interval);
  } finally {
    if (!signal.aborted) stockView.setAttribute("aria-busy", "false");
  }
}

function present({ prices, next }, interval) {
  const { stock, adjust } = shown;
  const kind = ADJUSTMENTS.find(([name]) => name === adjust)[1].toLowerCase();
  const adjusted = adjust === "none" ? "as traded" : `adjusted for ${kind}`;
  const [, name, title] = INTERVALS[interval];
  picture(prices, next, name, adjusted);
  showRows(prices, `${stock.id}, ${name} bars in ${stock.currency}, ${adjusted}`, following(prices, next, name, adjusted));
  at("rows-title").textContent = title;
}

/** The chart, and what it shows in words. */
function picture(prices, next, name, adjusted) {
  const within = showEvents(shown.events, prices.at(-1).date, prices[0].date);
  draw(prices.toReversed(), within);
  const isSplit = shown.adjust === "none" && within.some(({ kind }) => kind === "split");
  const text = `${next ? "The newest " : ""}${summary(prices, name, adjusted, isSplit)}`;
  at("summary").textContent = text;
  news.textContent = `${shown.stock.id}: ${text}`;
}

/** What fetches the page after, where there is one. */
function following(before, next, name, adjusted) {
  if (!next) return null;
  const signal = loading.signal;
  return () => guarded(async () => {
    const { prices: older, next: later } = await ask(next, signal);
    const prices = before.concat(older);
    addRows(older, following(prices, later, name, adjusted));
    picture(prices, later, name, adjusted);
  });
}

/** What the chart shows, for those who don't see it. */
function summary(prices, name, adjusted, isSplit) {
  const [newest, oldest] = [prices[0], prices.at(-1)];
  const high = prices.reduce((most, bar) => (bar.high > most.high ? bar : most));
  const low = prices.reduce((least, bar) => (bar.low < least.low ? bar : least));
  const change = ((newest.close / oldest.close - 1) * 100);
  return `${prices.length} ${name} bars from ${inDay(oldest.date)} to ${inDay(newest.date)}, ${adjusted}: `
    // Prices before and after a split are those of different shares.
    + `${inPrice(oldest.close)} to ${inPrice(newest.close)} (${isSplit ? "with a split between" : `${inChange(change)} %`}), `
    + `highest ${inPrice(high.high)} on ${inDay(high.date)}, lowest ${inPrice(low.low)} on ${inDay(low.date)}.`;
}

function headline(stock, quote) {
  document.title = `${stock.id} ${inPrice(quote.close)}: tickerd`;
  at("stock-name").textContent = stock.name;
  const facts = [stock.id, stock.exchange, stock.currency, stock.sector, stock.delistedOn && `delisted ${inDay(stock.delistedOn)}`];
  at("stock-facts").textContent = facts.filter(Boolean).join(" · ");
  const change = quote.change === null ? [] : [element("span",
    { class: quote.change < 0 ? "down" : "up" }, `${inChange(quote.change)} (${inChange(quote.changePercent)} %)`)];
  at("quote").replaceChildren(element("strong", {}, inPrice(quote.close)), ...change, element("span", {}, `Close of ${inDay(quote.date)}`));
}

/** Ends what was being loaded, since something else was asked for. */
function anew() {
  loading?.abort();
  loading = new AbortController();
  return loading.signal;
}

async function guarded(work) {
  problem.hidden = true;
  problem.textContent = "";
  try {
    await work();
  } catch (fault) {
    fail(fault);
  }
}

function fail(fault) {
  if (fault.name === "AbortError") return;
  problem.hidden = false;
  problem.textContent = fault.status === 401
    ? "This key is not valid here: check that it was pasted whole, or ask the operator whether it has expired."
    : fault.message;
}

function buttons(id, choices, chosen) {
  at(id).append(...choices.map(([value, text]) => {
    const button = element("button", { type: "button", value, "aria-pressed": "false" }, text);
    button.addEventListener("click", () => { if (shown.stock) chosen(value); });
    return button;
  }));
}

function press(id, value) {
  for (const button of at(id).children) button.setAttribute("aria-pressed", String(button.value === value));
}
