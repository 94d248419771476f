"""Texts as vectors: by a small model in this process, or by an endpoint."""
