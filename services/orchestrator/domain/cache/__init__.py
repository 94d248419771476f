"""What a clip can be used again for, and what is known about it. Plain and pure."""
