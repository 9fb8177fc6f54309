// Where the limit stands, as the last answer said.

import { onLimit } from "/assets/api.js";
import { inWhole } from "/assets/format.js";

const place = document.querySelector("#limit");
const meter = document.querySelector("#limit-meter");
const text = document.querySelector("#limit-text");

export function watchLimit() {
  onLimit(({ limit, remaining, resetAt }) => {
    meter.max = limit;
    meter.low = limit * 0.1;
    meter.high = limit * 0.1;
    meter.optimum = limit;
    meter.value = remaining;
    const inS = Math.max(0, Math.ceil((resetAt - Date.now()) / 1000));
    const more = remaining < limit && Number.isFinite(inS) ? `; more in ${inS} s` : "";
    text.textContent = `${inWhole(remaining)} of ${inWhole(limit)} requests a minute are left${more}`;
    place.hidden = false;
  });
}

export function hideLimit() { place.hidden = true; }
