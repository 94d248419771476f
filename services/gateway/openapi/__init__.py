"""The OpenAPI 3.1 document of the REST interface and the page that shows it."""
