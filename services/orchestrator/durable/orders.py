"""Work orders: rows in the engine's queue, written in the transaction that needs them."""

import sqlalchemy as sa
from dbos import DBOSClient, EnqueueOptions

from services.orchestrator.durable.names import (
    APPLICATION,
    APPLICATION_VERSION,
    CANCEL_FILM,
    CANCEL_QUEUE,
    CANCEL_VIDEO,
    EDIT_IMAGE,
    EDIT_QUEUE,
    FILM_QUEUE,
    GENERATE_VIDEO,
    JOB_QUEUE,
    MAKE_FILM,
    engine_url,
)
from services.orchestrator.durable.serializer import JsonSerializer

_QUEUES = {
    GENERATE_VIDEO: JOB_QUEUE,
    CANCEL_VIDEO: CANCEL_QUEUE,
    MAKE_FILM: FILM_QUEUE,
    CANCEL_FILM: CANCEL_QUEUE,
    EDIT_IMAGE: EDIT_QUEUE,
}


class DurableOrders:
    """`WorkOrders`, `FilmOrders` and `EditOrders` on DBOS, through the caller's connection."""

    def __init__(self, database_url: str) -> None:
        """`database_url` is the orchestrator's: the engine's tables lie in the same database."""
        self._client = DBOSClient(
            system_database_url=engine_url(database_url),
            application_name=APPLICATION,
            serializer=JsonSerializer(),
            lazy=True,
        )

    def generate(self, connection: sa.Connection, job_id: str, place: int = 0) -> None:
        """Order the making of a job; a smaller place goes first."""
        self._order(connection, GENERATE_VIDEO, job_id, place)

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Order the cancelling of a job; it never waits behind jobs."""
        self._order(connection, CANCEL_VIDEO, job_id)

    def film(self, connection: sa.Connection, film_run: str, *, delay: float = 0.0) -> None:
        """Order a film's run, "{film id}.{run}"; nobody takes it up before so many seconds."""
        self._order(connection, MAKE_FILM, film_run, delay=delay)

    def cancel_film(self, connection: sa.Connection, film_run: str) -> None:
        """Order the cancelling of a film's run."""
        self._order(connection, CANCEL_FILM, film_run)

    def stop_dropped(self, connection: sa.Connection, film_run: str, sequence: int) -> None:
        """Order the stopping of what a film has dropped, once for each change of it."""
        self._order(connection, CANCEL_FILM, film_run, once_for=f".{sequence}")

    def edit(self, connection: sa.Connection, edit_id: str, place: int = 0) -> None:
        """Order the making of an edit; a smaller place goes first. It never waits behind jobs."""
        self._order(connection, EDIT_IMAGE, edit_id, place)

    def close(self) -> None:
        """Give up the client's connections."""
        self._client.destroy()

    def _order(
        self,
        connection: sa.Connection,
        workflow: str,
        job_id: str,
        place: int = 0,
        *,
        delay: float = 0.0,
        once_for: str = "",
    ) -> None:
        options: EnqueueOptions = {
            "queue_name": _QUEUES[workflow],
            "workflow_name": workflow,
            "workflow_id": f"{workflow}.{job_id}{once_for}",
            "app_version": APPLICATION_VERSION,
        }
        if place:  # without one it goes before all that have one
            options["priority"] = place
        if delay > 0:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(connection, options, job_id)
