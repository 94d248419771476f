import subprocess
import sys

ASKED = "import sys, services.prompt.__main__; print('openai' in sys.modules)"


def test_who_names_no_language_model_does_not_wait_for_its_sdk() -> None:
    """The rules do everything then, and a start is a third shorter."""
    found = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "False"
