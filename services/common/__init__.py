"""What every service shares: errors, identity, servers, channels, databases, the bus, telemetry."""
