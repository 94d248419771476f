"""Implementations of the ports: folder and S3 bytes, SQL tables, URL fetching."""
