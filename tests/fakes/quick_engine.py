"""The durable engine of tests ends at once.

Its listener for messages, which nobody here sends, sleeps half a second at a time, and a stop waits
for it: a third of a second for each of some 300 orchestrators that tests run in their process.
"""

from dbos import DBOSConfig

from services.orchestrator.durable import runtime
from services.orchestrator.durable.runtime import EngineSettings

LISTENER_SECONDS = 0.05
_config = runtime._config


def end_engines_at_once() -> None:
    """For this process, from now on."""
    runtime._config = _quick


def _quick(settings: EngineSettings) -> DBOSConfig:
    config = _config(settings)
    config["notification_listener_polling_interval_sec"] = LISTENER_SECONDS
    return config
