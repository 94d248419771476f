"""One generation: one attempt on one model."""
