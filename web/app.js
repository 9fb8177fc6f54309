// The price page: a key, a stock and a range; then the response as a chart, a table and a request.

import { getJson, path, useKey } from "/assets/api.js";
import { draw } from "/assets/chart.js";
import { getEvents, showEvents } from "/assets/events.js";
import { element, formatChange, formatDate, formatPrice } from "/assets/format.js";
import { showForget, watchKey } from "/assets/key.js";
import { hideLimit, watchLimit } from "/assets/limit.js";
import { INTERVALS, RANGES, defaultInterval, isEarliest, rangeStart } from "/assets/range.js";
import { addRows, showRows } from "/assets/rows.js";
import { clearSearchCache, showChosen, watchSearch } from "/assets/search.js";
import { hideKeyInSnippets, showSnippets } from "/assets/snippets.js";

const ADJUSTMENTS = [["none", "Nothing"], ["splits", "Splits"], ["all", "Splits and dividends"]];
const BARS_MAX = 1000;
const TITLE = document.title;
const byId = (id) => document.getElementById(id);
const [problem, announcement, welcome, view, stockView] =
  ["problem", "news", "welcome", "view", "stock"].map(byId);

/**
 * The current selection. `quote` and `events` belong to the stock. If `interval` is empty, it
 * follows from the range.
 */
const selection = {
  stock: null, quote: null, events: [], range: "1Y", interval: "", start: "", end: "", adjust: "none",
};
/** Aborts the requests of the current selection. */
let loading;

watchLimit();
watchSearch((stock) => guarded(() => choose(stock)), showError);
addButtons("ranges", RANGES.map((range) => [range, range]), (range) => setRange(range));
addButtons("intervals", Object.entries(INTERVALS).map(([value, [text]]) => [value, text]), (interval) => {
  selection.interval = interval;
  guarded(load);
});
addButtons("adjust", ADJUSTMENTS, (adjust) => { selection.adjust = adjust; guarded(load); });
for (const name of ["start", "end"]) {
  byId(name).addEventListener("change", () => {
    if (!byId(name).value && name === "start") return;
    Object.assign(selection, { [name]: byId(name).value, range: "" });
    guarded(load);
  });
}
watchKey((key) => guarded(() => setKey(key)));

async function setKey(key) {
  clearSearchCache();
  useKey(key);
  showForget(Boolean(key));
  if (!key) return reset();
  const { stocks } = await getJson(path("/api/stocks", { limit: 1 }));
  welcome.hidden = true;
  view.hidden = false;
  const linked = new URLSearchParams(location.hash.slice(1)).get("stock");
  if (linked) await choose({ id: linked });
  else if (selection.stock) await choose(selection.stock);
  else byId("search").focus();
  if (!stocks.length) throw new Error("This server has no stocks yet. Its operator must load some.");
}

/** Returns to the page without a key. */
function reset() {
  document.title = TITLE;
  Object.assign(selection, { stock: null, quote: null, events: [] });
  hideKeyInSnippets();
  hideLimit();
  [view, stockView].forEach((part) => { part.hidden = true; });
  welcome.hidden = false;
  history.replaceState(null, "", location.pathname);
}

/** Loads a stock. Only its `id` is needed: a symbol from the search, a link or the keyboard. */
async function choose({ id }) {
  const signal = restartLoading();
  const base = `/api/stocks/${encodeURIComponent(id)}`;
  const [{ stock }, quote, events] = await Promise.all([
    getJson(base, signal),
    getJson(`${base}/quote`, signal),
    getEvents(id, signal),
  ]);
  Object.assign(selection, { stock, quote, events });
  showChosen(stock.id);
  history.replaceState(null, "", `#${new URLSearchParams({ stock: stock.id })}`);
  showHeadline(stock, quote);
  await setRange(selection.range || "1Y");
}

async function setRange(range) {
  const start = rangeStart(range, selection.quote.date);
  Object.assign(selection, { range, interval: "", start, end: "" });
  await guarded(load);
}

/** Loads and shows the bars of the selection. */
async function load() {
  const signal = restartLoading();
  const { stock, quote, start, end, adjust } = selection;
  const first = stock.firstDate && stock.firstDate > start ? stock.firstDate : start;
  const interval = selection.interval || defaultInterval(first, end || quote.date);
  const request = path(`/api/stocks/${encodeURIComponent(stock.id)}/prices`, {
    start: first,
    end,
    adjust: adjust === "none" ? "" : adjust,
    interval: interval === "1d" ? "" : interval,
    limit: BARS_MAX,
  });
  press("ranges", selection.range);
  press("intervals", interval);
  press("adjust", adjust);
  byId("start").value = isEarliest(first) ? "" : first;
  byId("end").value = end;
  showSnippets(request);
  stockView.setAttribute("aria-busy", "true");
  try {
    const page = await getJson(request, signal);
    stockView.hidden = false;
    showPage(page, interval);
  } finally {
    if (!signal.aborted) stockView.setAttribute("aria-busy", "false");
  }
}

function showPage({ prices, next }, interval) {
  const { stock, adjust } = selection;
  const kind = ADJUSTMENTS.find(([name]) => name === adjust)[1].toLowerCase();
  const adjusted = adjust === "none" ? "as traded" : `adjusted for ${kind}`;
  const [, adjective, title] = INTERVALS[interval];
  showChart(prices, next, adjective, adjusted);
  const description = `${stock.id}, ${adjective} bars in ${stock.currency}, ${adjusted}`;
  showRows(prices, description, nextPage(prices, next, adjective, adjusted));
  byId("rows-title").textContent = title;
}

/** Shows the chart and its summary in words. */
function showChart(prices, next, adjective, adjusted) {
  const events = showEvents(selection.events, prices.at(-1).date, prices[0].date);
  draw(prices.toReversed(), events);
  const hasSplit = selection.adjust === "none" && events.some(({ kind }) => kind === "split");
  const text = `${next ? "The newest " : ""}${summarize(prices, adjective, adjusted, hasSplit)}`;
  byId("summary").textContent = text;
  announcement.textContent = `${selection.stock.id}: ${text}`;
}

/** Returns a function that fetches and shows the page after `loaded`; null if it was the last. */
function nextPage(loaded, next, adjective, adjusted) {
  if (!next) return null;
  const signal = loading.signal;
  return () => guarded(async () => {
    const { prices: older, next: following } = await getJson(next, signal);
    const prices = loaded.concat(older);
    addRows(older, nextPage(prices, following, adjective, adjusted));
    showChart(prices, following, adjective, adjusted);
  });
}

/** Describes the chart in words, also for screen readers. */
function summarize(prices, adjective, adjusted, hasSplit) {
  const [newest, oldest] = [prices[0], prices.at(-1)];
  const high = prices.reduce((highest, bar) => (bar.high > highest.high ? bar : highest));
  const low = prices.reduce((lowest, bar) => (bar.low < lowest.low ? bar : lowest));
  const change = formatChange((newest.close / oldest.close - 1) * 100);
  // A change across a split would compare different shares.
  const comparison = hasSplit ? "with a split between" : `${change} %`;
  const range = `from ${formatDate(oldest.date)} to ${formatDate(newest.date)}`;
  return `${prices.length} ${adjective} bars ${range}, ${adjusted}: `
    + `${formatPrice(oldest.close)} to ${formatPrice(newest.close)} (${comparison}), `
    + `highest ${formatPrice(high.high)} on ${formatDate(high.date)}, `
    + `lowest ${formatPrice(low.low)} on ${formatDate(low.date)}.`;
}

function showHeadline(stock, quote) {
  document.title = `${stock.id} ${formatPrice(quote.close)}: tickerd`;
  byId("stock-name").textContent = stock.name;
  const delisted = stock.delistedOn && `delisted ${formatDate(stock.delistedOn)}`;
  const facts = [stock.id, stock.exchange, stock.currency, stock.sector, delisted];
  byId("stock-facts").textContent = facts.filter(Boolean).join(" · ");
  const parts = [element("strong", {}, formatPrice(quote.close))];
  if (quote.change !== null) {
    const text = `${formatChange(quote.change)} (${formatChange(quote.changePercent)} %)`;
    parts.push(element("span", { class: quote.change < 0 ? "down" : "up" }, text));
  }
  parts.push(element("span", {}, `Close of ${formatDate(quote.date)}`));
  byId("quote").replaceChildren(...parts);
}

/** Aborts requests for the previous selection. */
function restartLoading() {
  loading?.abort();
  loading = new AbortController();
  return loading.signal;
}

/** Runs `work` and shows its error, if any. */
async function guarded(work) {
  problem.hidden = true;
  problem.textContent = "";
  try {
    await work();
  } catch (error) {
    showError(error);
  }
}

function showError(error) {
  if (error.name === "AbortError") return;
  problem.hidden = false;
  problem.textContent = error.status === 401
    ? "This key is not valid here. Check that you pasted all of it, or ask the operator whether it has expired."
    : error.message;
}

function addButtons(id, choices, onChoose) {
  byId(id).append(...choices.map(([value, text]) => {
    const button = element("button", { type: "button", value, "aria-pressed": "false" }, text);
    button.addEventListener("click", () => { if (selection.stock) onChoose(value); });
    return button;
  }));
}

function press(id, value) {
  for (const button of byId(id).children) {
    button.setAttribute("aria-pressed", String(button.value === value));
  }
}
