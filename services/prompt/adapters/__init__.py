"""What stands between the prompt service and the world."""
