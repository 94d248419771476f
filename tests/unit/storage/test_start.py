import subprocess
import sys

# By MiB: 6 and 2 of SQLAlchemy, 3 of web servers, 1 of a command line, 1 of reflection,
# 7 of a client of S3, 6 and more of what works on pictures.
NEEDLESS = (
    "sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "asyncpg", "alembic", "uvicorn",
    "starlette", "click", "google.protobuf.descriptor_pb2", "nats", "numpy", "av", "PIL", "c2pa",
    "openai",
)  # fmt: skip


def test_a_service_with_sqlite_and_a_folder_loads_nothing_that_serves_others() -> None:
    asked = (
        "import sys, services.storage.__main__; "
        f"print([name for name in {(*NEEDLESS, 'botocore')} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "[]"
