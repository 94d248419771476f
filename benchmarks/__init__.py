"""What we promise, measured side by side in one run: `make bench`."""
