"""The storage service: assets, their bytes, their index and their signed URLs."""
