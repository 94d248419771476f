"""Prompts as vectors: by their words, by a small model in this process, or by an endpoint."""
