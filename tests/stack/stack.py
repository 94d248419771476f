"""The services that a job needs, each a process of its own, around one NATS and one database."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from services.common.identity import Identity, IdentitySigner
from tests.servers import Nats
from tests.stack.client import Client
from tests.stack.evidence import Evidence
from tests.stack.process import Service

LOG_END = 60_000
SIGNING_KEY = "the signing key of the stack under test"
MODULES = {
    "storage": "services.storage",
    "prompt": "services.prompt",
    "generator": "services.generator",
    "orchestrator": "services.orchestrator",
    "gateway": "services.gateway",
}


class Stack:
    """A context manager; build it in a synchronous fixture, so that children die with pytest.

    `database_url` "" is SQLite, a file per service. `modules` replaces the entry module of a
    service; the orchestrator runs once for each of `orchestrators`, a name and its environment.
    """

    def __init__(
        self,
        nats: Nats,
        database_url: str = "",
        *,
        modules: Mapping[str, str] | None = None,
        orchestrators: Mapping[str, Mapping[str, str]] | None = None,
        env: Mapping[str, str] | None = None,
        without: tuple[str, ...] = ("gateway",),
    ) -> None:
        self.nats = nats
        self.directory = Path(tempfile.mkdtemp(prefix="reelmesh-stack-"))
        self.directory.chmod(0o755)
        self._database_url = database_url
        self._env = self._environment(env or {})
        modules = MODULES | dict(modules or {})
        self.services: dict[str, Service] = {}
        for name in ("storage", "prompt", "generator"):
            if name not in without:
                self._add(name, modules[name], {})
        for name, extra in (orchestrators or {"orchestrator": {}}).items():
            self._add(name, modules["orchestrator"], extra)
        if "gateway" not in without:
            self._add("gateway", modules["gateway"], {})

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {
            "REELMESH_DATA_DIR": str(self.directory),
            "DATABASE_URL": self._database_url,
            "NATS_URL": self.nats.url,
            "REELMESH_SIGNING_KEY": SIGNING_KEY,
            "REELMESH_LOG_FORMAT": "json",
            "ORCHESTRATOR_ALLOW_PLACEHOLDER": "true",
            # Equal requests are different jobs, unless a test is about the cache.
            "ORCHESTRATOR_CACHE": "false",
            **extra,
        }

    def _add(self, name: str, module: str, extra: Mapping[str, str]) -> None:
        # Every address is chosen before anything starts: who is dialled may start last.
        service = Service(name, module, {**self._env, **extra})
        self.services[name] = service
        if "-" not in name:
            self._env[f"{name.upper()}_ADDRESS"] = service.address
        for known in self.services.values():
            known.env.update({k: v for k, v in self._env.items() if k not in known.env})

    def __getitem__(self, name: str) -> Service:
        """A service by its name."""
        return self.services[name]

    @property
    def orchestrators(self) -> list[Service]:
        """Every replica of the orchestrator."""
        return [s for n, s in self.services.items() if n.startswith("orchestrator")]

    @property
    def evidence(self) -> Evidence:
        """What the databases and folders say."""
        return Evidence(self.directory, self._database_url)

    def start(self, *names: str) -> None:
        """Start these, or all; returns when they are healthy. From the main thread."""
        chosen = [self.services[n] for n in names] or list(self.services.values())
        for service in chosen:
            service.start()
        for service in chosen:
            service.wait_ready()

    def heal(self) -> None:
        """Start again whatever has died."""
        dead = [name for name, service in self.services.items() if service.dead]
        if dead:
            self.start(*dead)

    def rest(self) -> None:
        """Kill all of them and keep what they have stored; `heal` brings them back."""
        for service in self.services.values():
            service.kill()

    def client(self, tenant: str = "default", orchestrator: str = "") -> Client:
        """A client of one orchestrator, "" for the first, that acts for a tenant."""
        chosen = self.services[orchestrator] if orchestrator else self.orchestrators[0]
        return Client(chosen.address, IdentitySigner(SIGNING_KEY), Identity(tenant))

    def logs(self) -> dict[str, str]:
        """The end of each service's log."""
        return {f"log of {n}": s.log[-LOG_END:] for n, s in self.services.items()}

    def close(self) -> None:
        """Kill every service and remove what they kept."""
        for service in self.services.values():
            service.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
