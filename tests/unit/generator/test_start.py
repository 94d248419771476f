import subprocess
import sys

HEAVY = ("numpy", "av", "PIL", "torch", "transformers", "diffusers", "sqlalchemy.orm")


def test_the_process_that_waits_for_vendors_loads_neither_pictures_nor_a_mapper() -> None:
    """What renders lives in processes of its own; this one has room for thousands that wait."""
    asked = (
        f"import sys, services.generator.__main__; print([n for n in {HEAVY} if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "[]"
