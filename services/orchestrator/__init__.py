"""The orchestrator: what a job is, which model serves it, and how it ends exactly once."""
