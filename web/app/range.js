// Date ranges, and the bar interval that suits a range.

export const RANGES = ["1M", "6M", "1Y", "5Y", "All"];
const MONTHS = { "1M": 1, "6M": 6, "1Y": 12, "5Y": 60 };
/** The start of the range "All": before any stock was traded. */
const EARLIEST = "1700-01-01";
const DAY_MS = 86_400_000;

/** Returns the first day of a range that ends on `last` (both YYYY-MM-DD). */
export function rangeStart(range, last) {
  const months = MONTHS[range];
  if (!months) return EARLIEST;
  const [year, month, day] = last.split("-").map(Number);
  const first = new Date(Date.UTC(year, month - 1 - months, 1));
  const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(day, days));
  return first.toISOString().slice(0, 10);
}

/** Days up to two years, weeks up to eight, else months: hundreds of bars, not thousands. */
export function defaultInterval(start, end) {
  const years = (Date.parse(end) - Date.parse(start)) / DAY_MS / 365.25;
  if (years <= 2) return "1d";
  return years <= 8 ? "1w" : "1mo";
}

/** Intervals: the text of the button, the adjective for "bars", and the heading of the table. */
export const INTERVALS = {
  "1d": ["Day", "daily", "Day by day"],
  "1w": ["Week", "weekly", "Week by week"],
  "1mo": ["Month", "monthly", "Month by month"],
  "1y": ["Year", "yearly", "Year by year"],
};
export const isEarliest = (start) => start === EARLIEST;
