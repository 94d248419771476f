"""What a caller can want of films, and the steps by which one is made."""
