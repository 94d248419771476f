"""The commands of ``reelmesh``, one module per kind."""
