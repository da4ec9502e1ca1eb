// The description of the API, drawn by Swagger UI from our own schema. Requests carry the session and its CSRF token.
addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("apidocs");
  const start = `${place.dataset.cookie}=`;
  const token = () => (document.cookie.split("; ").find((each) => each.startsWith(start)) || "").slice(start.length);
  SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    deepLinking: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    requestInterceptor: (request) => {
      if (token()) request.headers["X-CSRFToken"] = token();
      return request;
    },
  });
});
