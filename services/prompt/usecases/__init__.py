"""What a caller can want of the prompt service."""
