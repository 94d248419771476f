import subprocess
import sys

# By MiB: 6 and 2 of SQLAlchemy, 3 of web servers, 6 of a command line and its colours, 1 of
# reflection, 6 and more of what works on pictures.
NEEDLESS = (
    "sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "asyncpg", "alembic", "uvicorn",
    "starlette", "click", "rich", "pygments", "google.protobuf.descriptor_pb2", "nats", "numpy",
    "av", "PIL", "c2pa", "openai",
)  # fmt: skip


def test_a_service_with_sqlite_loads_no_other_database_no_mapper_and_no_web_server() -> None:
    asked = (
        "import sys, services.storage.__main__; "
        f"print([name for name in {NEEDLESS} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == "[]"
