"""Workflow bodies: the order of steps and nothing else, so that the engine can replay them."""
