"""Understanding a prompt with a language model behind any OpenAI-compatible endpoint."""
