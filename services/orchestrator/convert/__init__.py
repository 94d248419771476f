"""Protobuf to domain and back. Total functions: no input or output, no decisions."""
