// Numbers and days as people read them.

const price = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

export const inPrice = (value) => price.format(value);
export const inWhole = (value) => whole.format(value);
export const inDay = (date) => day.format(new Date(`${date}T00:00:00Z`));

/** A change with its sign, as a real minus. */
export function inChange(value, digits = 2) {
  const sign = value > 0 ? "+" : value < 0 ? "−" : "±";
  return sign + Math.abs(value).toFixed(digits);
}

/** An element with its text and attributes. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}
