"""The durable engine: the one room that imports dbos."""
