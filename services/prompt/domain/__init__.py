"""What the prompt service knows, in plain Python."""
