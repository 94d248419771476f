"""Pictures that words make of other pictures."""
