"""Films: shots, the graph of tasks that makes them, and how much of it runs at once."""
