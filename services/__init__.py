"""The services of Reelmesh; each is a package that starts alone."""
