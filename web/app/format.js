// Formats numbers and dates for people.

const price = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

export const formatPrice = (value) => price.format(value);
export const formatWhole = (value) => whole.format(value);
export const formatDate = (date) => day.format(new Date(`${date}T00:00:00Z`));

/** Formats a change with its sign. A negative one has a minus sign, not a hyphen. */
export function formatChange(value, digits = 2) {
  const sign = value > 0 ? "+" : value < 0 ? "−" : "±";
  return sign + Math.abs(value).toFixed(digits);
}

/** Creates an element with attributes and children. */
export function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value);
  created.append(...children);
  return created;
}
