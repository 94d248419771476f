"""Runs the suite: ``python -m services.suite`` is ``reelmesh serve``."""

from __future__ import annotations

from services.suite.cli import main

if __name__ == "__main__":
    main(["serve"])
