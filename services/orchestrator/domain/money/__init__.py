"""Money: whole micro-USD, limits, and a ledger in which nothing is ever changed."""
