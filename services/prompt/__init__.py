"""The prompt service: from words to parameters, from scripts to shots."""
