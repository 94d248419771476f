"""Models, tasks and limits: plain Python."""
