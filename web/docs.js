// The reference: Swagger UI with this server's document, in the preferred colour scheme.

const dark = matchMedia("(prefers-color-scheme: dark)");
const applyScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
applyScheme();
dark.addEventListener("change", applyScheme);

globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.querySelector("#reference"),
  deepLinking: true,
  // Requests go only to this server, not to an external validator.
  validatorUrl: null,
  persistAuthorization: false,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
