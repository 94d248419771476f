"""The services of Reelmesh; each is a package that starts alone."""

import sys

# httpx loads its own command line, and what that is made with: a MiB in every service, several
# where all of it is installed. It does without where that cannot be loaded.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # how Python marks that
