// Renders the OpenAPI document of this listener with Swagger UI, or as JSON where that is not installed.

const DOCUMENT = "openapi.json"; // as JSON: only a browser's navigation prefers text/html

document.documentElement.classList.toggle("dark-mode", matchMedia("(prefers-color-scheme: dark)").matches);

if (globalThis.SwaggerUIBundle) {
  SwaggerUIBundle({
    url: DOCUMENT,
    dom_id: "#swagger-ui",
    validatorUrl: null, // nothing is sent to another server
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
  });
} else showDocument();

async function showDocument() {
  document.getElementById("missing").hidden = false;
  const response = await fetch(DOCUMENT, { headers: { Accept: "application/json" } });
  document.getElementById("document").textContent = JSON.stringify(await response.json(), null, 2);
}
