"""Logs and metrics: one JSON line per event with the tenant and request id, secrets taken out."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"key|secret|token|password|passwd|authorization|credential|cookie", re.I)
# Names that look like secrets and are none.
_HARMLESS = frozenset(
    {"key_id", "object_key", "cache_key", "max_tokens", "total_tokens", "missing_keys"}
)
_SECRET_VALUE = re.compile(
    r"rmk_[\w-]+"
    r"|(?<=[Bb]earer )\S+"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=[?&])(?:sig|signature|token|key|api_key|x-amz-(?:signature|credential|security-token))=[^&\s\"']+",
    re.I,
)
_MAX_DEPTH = 6
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class LogSettings(Protocol):
    """What ``configure_logging`` reads of a service's settings."""

    @property
    def log_level(self) -> str:
        """Least important level that is logged."""
        ...

    @property
    def log_format(self) -> str:
        """One of auto, json, console."""
        ...


def redact(value: Any, depth: int = 0) -> Any:
    """Return ``value`` with every secret replaced, by the name it has or by what it looks like."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _redact_all(value, depth + 1) if depth < _MAX_DEPTH else "…"
    return _SECRET_VALUE.sub(REDACTED, str(value))


def _redact_all(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {str(key): _named(str(key), item, depth) for key, item in value.items()}
    return [redact(item, depth) for item in value]


def _named(name: str, value: Any, depth: int) -> Any:
    if value and name not in _HARMLESS and _SECRET_NAME.search(name):
        return REDACTED
    return redact(value, depth)


def redact_event(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Take secrets out of one log event; the last processor before the event is written."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _named(name, value, 0)
    return event


class _Stderr:
    """Writes to whatever is standard error now; one write per line, so that lines stay whole."""

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = log = msg


def configure_logging(settings: LogSettings) -> None:
    """Make structlog and the logs of libraries write to standard error as ``settings`` say."""
    as_json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,  # loggers of modules are older than the settings
    )
    _configure_libraries(max(level, logging.WARNING), common, renderer)


def _configure_libraries(level: int, common: list[Processor], renderer: Processor) -> None:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[remove, renderer],
        )
    )
    root = logging.getLogger()
    for old in [item for item in root.handlers if isinstance(item, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


class _StderrHandler(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            _Stderr().msg(self.format(record))
        except Exception:
            self.handleError(record)


def get_logger(name: str, **values: object) -> FilteringBoundLogger:
    """Return a logger whose events carry ``component=name`` and ``values``."""
    logger: FilteringBoundLogger = structlog.get_logger(component=name, **values)
    return logger


class Metrics:
    """The metrics of one service, in its own registry: several services may share a process."""

    def __init__(self, service: str, registry: CollectorRegistry | None = None) -> None:
        self.service = service
        self.registry = registry or CollectorRegistry()
        self.calls = Counter(
            "reelmesh_grpc_calls_total",
            "Calls that ended, by method and status code.",
            ["method", "code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "reelmesh_grpc_call_seconds",
            "Duration of calls; a stream counts from its first to its last message.",
            ["method"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "reelmesh_grpc_calls_in_flight",
            "Calls that are being served.",
            ["method"],
            registry=self.registry,
        )

    def counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        """Return a new counter ``reelmesh_<name>``."""
        return Counter(f"reelmesh_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        """Return a new gauge ``reelmesh_<name>``."""
        return Gauge(f"reelmesh_{name}", text, labels, registry=self.registry)

    def histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        """Return a new histogram ``reelmesh_<name>``, in seconds."""
        return Histogram(f"reelmesh_{name}", text, labels, buckets=_BUCKETS, registry=self.registry)
