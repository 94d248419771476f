"""Local models against stock diffusers, on one device, in one run."""
