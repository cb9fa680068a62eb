"""Envoy in front of the workers: its configuration, and the embedded process."""
