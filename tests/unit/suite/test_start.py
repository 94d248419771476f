"""What the command line loads before it knows which command is meant."""

import subprocess
import sys

HEAVY = ("sqlalchemy", "uvicorn", "starlette", "dbos", "openai", "av", "numpy", "PIL", "botocore")


def test_a_command_does_not_wait_for_libraries_of_services() -> None:
    """`reelmesh jobs` speaks gRPC: databases, web servers and pictures are for those that serve."""
    asked = f"import sys, services.suite.cli; print([n for n in {HEAVY} if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "[]"
