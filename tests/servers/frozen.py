"""Loaded last of what is forked: no child's garbage collector walks, and so copies, the rest."""

import gc

gc.collect()
gc.freeze()
