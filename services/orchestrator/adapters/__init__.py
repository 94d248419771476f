"""Ports made real: databases, the event bus, the other services."""
