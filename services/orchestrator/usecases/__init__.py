"""What a caller can want of the orchestrator. Knows ports, not adapters."""
