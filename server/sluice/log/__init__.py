"""The durable log: what was accepted, byte for byte. The source of truth; the lake is derived from it."""
