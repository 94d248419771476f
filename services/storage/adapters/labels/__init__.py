"""Labels of what a model made, written into a file without touching a picture or a sound of it."""
