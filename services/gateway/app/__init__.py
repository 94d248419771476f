"""The HTTP application: routes, headers, errors, and the server that runs it."""
