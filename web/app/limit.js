// The state of the limit in the last response.

import { onLimit } from "/assets/api.js";
import { formatWhole } from "/assets/format.js";

const container = document.querySelector("#limit");
const meter = document.querySelector("#limit-meter");
const text = document.querySelector("#limit-text");

export function watchLimit() {
  onLimit(({ limit, remaining, resetAt, windowS }) => {
    meter.max = limit;
    meter.low = limit * 0.1;
    meter.high = limit * 0.1;
    meter.optimum = limit;
    meter.value = remaining;
    const waitS = Math.max(0, Math.ceil((resetAt - Date.now()) / 1000));
    const more = remaining < limit && Number.isFinite(waitS) ? `; more in ${waitS} s` : "";
    const left = `${formatWhole(remaining)} of ${formatWhole(limit)} requests ${per(windowS)}are left`;
    text.textContent = `${left}${more}`;
    container.hidden = false;
  });
}

/** The window of the limit, followed by a space; nothing if it is unknown. */
function per(windowS) {
  if (!Number.isFinite(windowS)) return "";
  return { 60: "a minute ", 3600: "an hour " }[windowS] ?? `in ${windowS} s `;
}

export function hideLimit() { container.hidden = true; }
