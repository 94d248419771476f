"""Names that are kept in the database: changing one strands work that is under way."""

from sqlalchemy.engine import make_url

APPLICATION = "reelmesh-orchestrator"
# Pinned, because the engine's own default is a hash of the sources: every edit would strand work.
# Raise it only for an incompatible rewrite of a flow, and run the old one until its work is done.
APPLICATION_VERSION = "wf-1"
JOB_QUEUE = "jobs"
FILM_QUEUE = "films"
EDIT_QUEUE = "edits"
CANCEL_QUEUE = "control"
GENERATE_VIDEO = "generate_video"
CANCEL_VIDEO = "cancel_video"
MAKE_FILM = "make_film"
CANCEL_FILM = "cancel_film"
EDIT_IMAGE = "edit_image"


def engine_url(database_url: str) -> str:
    """The orchestrator's database as the engine wants it: SQLite by path, PostgreSQL by psycopg."""
    url = make_url(database_url)
    driver = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return url.set(drivername=driver).render_as_string(hide_password=False)
