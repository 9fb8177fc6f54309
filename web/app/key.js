// The key: in memory, and in this tab's storage only where that is asked for. Never in an address.

const NAME = "tickerd-key";
const field = document.querySelector("#key");
const show = document.querySelector("#key-show");
const remember = document.querySelector("#key-remember");
const forget = document.querySelector("#key-forget");

/** Calls `used` with each key that is given, and with "" where it is forgotten. */
export function watchKey(used) {
  show.addEventListener("click", () => {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    show.setAttribute("aria-pressed", String(shown));
  });
  document.querySelector("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = field.value.trim();
    keep(key);
    used(key);
  });
  remember.addEventListener("change", () => keep(field.value.trim()));
  forget.addEventListener("click", () => {
    field.value = "";
    remember.checked = false;
    keep("");
    used("");
    field.focus();
  });
  const kept = sessionStorage.getItem(NAME);
  if (kept) {
    field.value = kept;
    remember.checked = true;
    used(kept);
  }
}

/** Whether there is something to forget. */
export function mayForget(may) { forget.hidden = !may; }

function keep(key) {
  if (remember.checked && key) sessionStorage.setItem(NAME, key);
  else sessionStorage.removeItem(NAME);
}
