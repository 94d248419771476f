"""Open models on this machine: a process holds them, this room loads, plans, runs and encodes.

Only here are torch, diffusers and transformers imported, and only inside functions, in the process
that runs the models.
"""
