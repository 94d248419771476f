"""What the gateway offers, as data."""
