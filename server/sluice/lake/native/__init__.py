"""A decoder that is compiled in the process itself, for what most bodies are like."""
