"""HTTP in front of the services: REST, server-sent events and signed media."""
