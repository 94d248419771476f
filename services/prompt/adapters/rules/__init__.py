"""Understanding a prompt by rules: no network, no model, a few milliseconds."""
