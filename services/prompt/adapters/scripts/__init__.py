"""Reading scripts: Fountain and plain screenplays, prose, shot lists."""
