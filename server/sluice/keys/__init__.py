"""API keys: made, kept as hashes, looked up, and followed as their file changes."""
