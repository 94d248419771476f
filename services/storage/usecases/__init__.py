"""What a caller can want from storage, one module per group of wishes."""
