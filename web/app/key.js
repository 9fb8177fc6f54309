// The key. It is kept in memory, and in this tab's storage if the user wants that, never in a URL.

const NAME = "tickerd-key";
const field = document.querySelector("#key");
const show = document.querySelector("#key-show");
const remember = document.querySelector("#key-remember");
const forget = document.querySelector("#key-forget");

/** Calls `onKey` with each submitted or remembered key, and with "" when the key is forgotten. */
export function watchKey(onKey) {
  show.addEventListener("click", () => {
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    show.setAttribute("aria-pressed", String(isShown));
  });
  document.querySelector("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = field.value.trim();
    store(key);
    onKey(key);
  });
  remember.addEventListener("change", () => store(field.value.trim()));
  forget.addEventListener("click", () => {
    field.value = "";
    remember.checked = false;
    store("");
    onKey("");
    field.focus();
  });
  const stored = sessionStorage.getItem(NAME);
  if (stored) {
    field.value = stored;
    remember.checked = true;
    onKey(stored);
  }
}

/** Shows or hides the button that forgets the key. */
export function showForget(isShown) { forget.hidden = !isShown; }

/** Stores the key in this tab if the user wants that, else removes it. */
function store(key) {
  if (remember.checked && key) sessionStorage.setItem(NAME, key);
  else sessionStorage.removeItem(NAME);
}
