"""What lies in the databases and folders: read without asking the services."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

# How each terminal state is written in `jobs.state`.
ENDS = {"succeeded", "partial", "failed", "fallback", "cancelled"}


class Evidence:
    """Rows of the services, and the bytes of assets kept in a folder."""

    def __init__(self, directory: Path, database_url: str = "") -> None:
        self._directory = directory
        self._url = database_url

    def query(self, service: str, statement: str, *values: object) -> list[Any]:
        """Rows of one service; `?` stands for a value."""
        if self._url:
            with psycopg.connect(self._url, autocommit=True) as postgres:
                postgres.execute(f"SET search_path = {service}")  # our own names, never input
                return postgres.execute(statement.replace("?", "%s"), values).fetchall()
        # Not as a context manager: that would end a transaction and leave the file open.
        sqlite = sqlite3.connect(self._directory / f"{service}.db", timeout=10)
        try:
            return sqlite.execute(statement, values).fetchall()
        finally:
            sqlite.close()

    def count(self, service: str, table: str) -> int:
        """How many rows a table has."""
        return int(self.query(service, f"SELECT count(*) FROM {table}")[0][0])

    def kinds(self, name: str) -> list[str]:
        """The kind of every change of a job, in order; asserts that none is missing."""
        rows = self.query(
            "orchestrator",
            "SELECT sequence, kind FROM job_events WHERE job_id = ? ORDER BY sequence",
            _id(name),
        )
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1)), rows
        return [row[1] for row in rows]

    def unpublished(self) -> int:
        """How many changes the bus has not been given yet."""
        return len(self.query("orchestrator", "SELECT 1 FROM job_events WHERE NOT published"))

    def held_by(self, executor: str) -> list[str]:
        """Ids of the jobs that a replica has in work."""
        rows = self.query(
            "dbos",
            "SELECT workflow_uuid FROM workflow_status WHERE status = ? AND executor_id = ?",
            "PENDING",
            executor,
        )
        return [row[0].removeprefix("generate_video.") for row in rows]

    def generations(self, name: str) -> list[tuple[str, str, int]]:
        """(request id, state, submissions) of every generation of a job."""
        rows = self.query(
            "generator",
            "SELECT request_id, state, submissions FROM generations WHERE request_id LIKE ?",
            f"{_id(name)}/%",
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def renders(self, name: str) -> Counter[str]:
        """How often the engine was asked, by the generation's id (of the killable generator)."""
        log = self._directory / "renders.log"
        rows = self.query(
            "generator", "SELECT id FROM generations WHERE request_id LIKE ?", f"{_id(name)}/%"
        )
        known = {row[0] for row in rows}
        lines = log.read_text().split() if log.exists() else []
        return Counter(line for line in lines if line in known)

    def assets(self, creative_id: str) -> list[tuple[str, str, int]]:
        """(id, sha256, iteration) of every stored video of a creative, derived ones aside."""
        rows = self.query(
            "storage",
            "SELECT id, sha256, iteration FROM assets WHERE creative_id = ? "
            "AND content_type LIKE ? AND state = 'stored' AND parent_id = ''",
            creative_id,
            "video/%",
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def files(self) -> dict[str, Path]:
        """Every stored MP4 by the SHA-256 of its bytes."""
        found = sorted((self._directory / "assets").rglob("*.mp4"))
        return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in found}

    def assert_ended_once(self, name: str) -> None:
        """One terminal change, the last of all; no attempt sent twice; no attempt drawn twice."""
        kinds = self.kinds(name)
        assert kinds.count("ended") == 1, kinds
        assert kinds[-1] == "ended", kinds
        assert kinds.count("accepted") == 1, kinds
        [(state,)] = self.query("orchestrator", "SELECT state FROM jobs WHERE id = ?", _id(name))
        assert state in ENDS
        asked = self.generations(name)
        assert max(Counter(row[0] for row in asked).values(), default=0) <= 1, asked
        assert all(submissions <= 1 for _, _, submissions in asked), asked
        assert max(self.renders(name).values(), default=0) <= 1, self.renders(name)

    def assert_stored(self, results: Sequence[Any], creative_id: str) -> None:
        """Each result's bytes are there and are what its hash says; one asset per variation."""
        files = self.files()
        for result in results:
            assert result.asset
            assert result.sha256 in files, result
            content = files[result.sha256].read_bytes()
            assert hashlib.sha256(content).hexdigest() == result.sha256
            assert content[4:8] == b"ftyp"
        stored = self.assets(creative_id)
        assert sorted(row[2] for row in stored) == sorted(r.iteration for r in results), stored


def _id(name: str) -> str:
    return name.removeprefix("videoJobs/")
