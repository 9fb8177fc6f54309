// From when on, and what length of bars suits so long a time.

export const RANGES = ["1M", "6M", "1Y", "5Y", "All"];
const MONTHS = { "1M": 1, "6M": 6, "1Y": 12, "5Y": 60 };
/** Before any stock was traded. */
const EVER = "1700-01-01";
const DAY_MS = 86_400_000;

/** The first day of a range that ends on `last` (both YYYY-MM-DD). */
export function startOf(range, last) {
  const months = MONTHS[range];
  if (!months) return EVER;
  const [year, month, day] = last.split("-").map(Number);
  const first = new Date(Date.UTC(year, month - 1 - months, 1));
  const days = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  first.setUTCDate(Math.min(day, days));
  return first.toISOString().slice(0, 10);
}

/** Days up to two years, weeks up to eight, months beyond: some hundred bars, not thousands. */
export function intervalOf(start, end) {
  const years = (Date.parse(end) - Date.parse(start)) / DAY_MS / 365.25;
  if (years <= 2) return "1d";
  return years <= 8 ? "1w" : "1mo";
}

export const NAMES = { "1d": "daily", "1w": "weekly", "1mo": "monthly" };
export const isEver = (start) => start === EVER;
