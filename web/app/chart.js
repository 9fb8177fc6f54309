// Candles and volume, in the colours of the page; the text beside it says what it shows.

import { CandlestickSeries, HistogramSeries, createChart, createSeriesMarkers } from "/assets/lightweight-charts.js";

const place = document.querySelector("#chart");
const dark = matchMedia("(prefers-color-scheme: dark)");
let chart;
let candles;
let volumes;
let markers;

/** Draws bars (oldest first) and marks the days of `events`. */
export function draw(bars, events) {
  if (!chart) make();
  candles.setData(bars.map(({ date, open, high, low, close }) => ({ time: date, open, high, low, close })));
  volumes.setData(bars.map(({ date, volume, open, close }) => ({ time: date, value: volume, color: tone(close >= open) })));
  markers.setMarkers(marksOf(events, bars));
  chart.timeScale().fitContent();
}

function make() {
  chart = createChart(place, {
    autoSize: true,
    // The link to TradingView is in the caption, where it can be reached by keyboard.
    layout: { attributionLogo: false, background: { color: "transparent" }, panes: { enableResize: false }, fontFamily: getComputedStyle(document.body).fontFamily },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.06 } },
    // No scrolling past the bars: then the labels at the edges stand within them, too.
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
  colour();
  dark.addEventListener("change", () => {
    colour();
    volumes.setData(volumes.data().map((bar, at) => ({ ...bar, color: tone(candles.data()[at].close >= candles.data()[at].open) })));
  });
}

function colour() {
  const [ink, line, rise, fall] = ["--soft", "--line", "--rise", "--fall"].map(value);
  chart.applyOptions({ layout: { textColor: ink, panes: { separatorColor: line } }, grid: { vertLines: { color: line }, horzLines: { color: line } } });
  candles.applyOptions({ upColor: rise, borderUpColor: rise, wickUpColor: rise, downColor: fall, borderDownColor: fall, wickDownColor: fall });
}

const value = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const tone = (rose) => `${value(rose ? "--rise" : "--fall")}66`;

/** Marks stand on bars, which have the date of their last day: an event belongs to the first one that ends no sooner. */
function marksOf(events, bars) {
  if (!bars.length) return [];
  const marks = [];
  for (const { date, kind } of events) {
    if (date < bars[0].date) continue;
    const bar = bars.find((bar) => bar.date >= date);
    if (!bar) continue;
    const split = kind === "split";
    if (marks.some((mark) => mark.time === bar.date && mark.split === split)) continue;
    marks.push({ time: bar.date, split, position: split ? "aboveBar" : "belowBar", shape: split ? "square" : "circle", color: value(split ? "--accent" : "--soft"), text: split ? "S" : "", size: split ? 1 : 0.5 });
  }
  return marks.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}
