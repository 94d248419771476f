"""What storage is about, in plain Python: assets, object keys, ports."""
