// The state of the limit in the last response.

import { onLimit } from "/assets/api.js";
import { formatWhole } from "/assets/format.js";

const container = document.querySelector("#limit");
const meter = document.querySelector("#limit-meter");
const text = document.querySelector("#limit-text");

export function watchLimit() {
  onLimit(({ limit, remaining, resetAt }) => {
    meter.max = limit;
    meter.low = limit * 0.1;
    meter.high = limit * 0.1;
    meter.optimum = limit;
    meter.value = remaining;
    const waitS = Math.max(0, Math.ceil((resetAt - Date.now()) / 1000));
    const more = remaining < limit && Number.isFinite(waitS) ? `; more in ${waitS} s` : "";
    const left = `${formatWhole(remaining)} of ${formatWhole(limit)} requests a minute are left`;
    text.textContent = `${left}${more}`;
    container.hidden = false;
  });
}

export function hideLimit() { container.hidden = true; }
