"""The services of Reelmesh; each is a package that starts alone."""

import sys

# httpx loads the command line of its own with it, and so click, and rich with its colours where
# they are installed: 1 to 6 MiB in every service. It does without where it cannot be loaded.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # how Python marks that
