"""Previews, commits, and the sheets that they become."""
