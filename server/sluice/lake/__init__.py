"""Sealed segments to Parquet, and how the lake is read."""
