// The chart: candles and volumes in the colours of the page. The caption describes it in words.

import { CandlestickSeries, HistogramSeries, createChart, createSeriesMarkers } from "/assets/lightweight-charts.js";

const container = document.querySelector("#chart");
const dark = matchMedia("(prefers-color-scheme: dark)");
let chart;
let candles;
let volumes;
let markers;

/** Draws bars (oldest first) and marks the dates of `events`. */
export function draw(bars, events) {
  if (!chart) create();
  candles.setData(bars.map(({ date, open, high, low, close }) => ({ time: date, open, high, low, close })));
  volumes.setData(bars.map(({ date, volume, open, close }) => ({ time: date, value: volume, color: tone(close >= open) })));
  markers.setMarkers(eventMarkers(events, bars));
  chart.timeScale().fitContent();
}

function create() {
  chart = createChart(container, {
    autoSize: true,
    // The link to TradingView is in the caption, where the keyboard can reach it.
    layout: { attributionLogo: false, background: { color: "transparent" }, panes: { enableResize: false }, fontFamily: getComputedStyle(document.body).fontFamily },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.06 } },
    // Without scrolling past the bars, the labels at the edges stay inside the chart.
    timeScale: { borderVisible: false, fixLeftEdge: true, fixRightEdge: true },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  candles = chart.addSeries(CandlestickSeries, { priceLineVisible: false });
  volumes = chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false }, 1);
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0 } });
  chart.panes()[0].setStretchFactor(4);
  chart.panes()[1].setStretchFactor(1);
  markers = createSeriesMarkers(candles, []);
  applyColours();
  dark.addEventListener("change", () => {
    applyColours();
    const isUp = (i) => candles.data()[i].close >= candles.data()[i].open;
    volumes.setData(volumes.data().map((bar, i) => ({ ...bar, color: tone(isUp(i)) })));
  });
}

function applyColours() {
  const [ink, line, rise, fall] = ["--soft", "--line", "--rise", "--fall"].map(cssVariable);
  chart.applyOptions({ layout: { textColor: ink, panes: { separatorColor: line } }, grid: { vertLines: { color: line }, horzLines: { color: line } } });
  candles.applyOptions({ upColor: rise, borderUpColor: rise, wickUpColor: rise, downColor: fall, borderDownColor: fall, wickDownColor: fall });
}

const cssVariable = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const tone = (isUp) => `${cssVariable(isUp ? "--rise" : "--fall")}66`;

/**
 * Markers are attached to bars. A bar has the date of its last day, so an event belongs to the
 * first bar that does not end before it. Each bar has at most one marker of a kind.
 */
function eventMarkers(events, bars) {
  if (!bars.length) return [];
  const marks = [];
  for (const { date, kind } of events) {
    if (date < bars[0].date) continue;
    const bar = bars.find((bar) => bar.date >= date);
    if (!bar) continue;
    const split = kind === "split";
    if (marks.some((mark) => mark.time === bar.date && mark.split === split)) continue;
    marks.push({
      time: bar.date,
      split,
      position: split ? "aboveBar" : "belowBar",
      shape: split ? "square" : "circle",
      color: cssVariable(split ? "--accent" : "--soft"),
      text: split ? "S" : "",
      size: split ? 1 : 0.5,
    });
  }
  return marks.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}
