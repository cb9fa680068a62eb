"""The compiled decoder, for what most bodies are like: it makes columns of what the passes of sluice.native find."""
