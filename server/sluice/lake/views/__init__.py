"""What `sluice query` offers beyond the tables: views and table macros for experiments, in DuckDB's SQL.

The files beside this one are the only place of their SQL; docs/lake.md prints them and says what they mean. They read
`events` by its name, whatever that is where they are pasted.
"""

from __future__ import annotations

from importlib.resources import files

__all__ = ["CALLS", "VIEWS", "sql_of"]

# Each uses only those before it.
VIEWS = ("events_distinct", "exposures", "metric_by_group", "metric_difference", "sample_ratio")

# Those that are nothing without arguments, as they are called.
CALLS = {
    "metric_by_group": "metric_by_group('experiment', 'event')",
    "metric_difference": "metric_difference('experiment', 'event', 'control group')",
    "sample_ratio": "sample_ratio('experiment')",
}


def sql_of(view: str) -> str:
    """The statements that make one of `VIEWS`."""
    return files(__name__).joinpath(f"{view}.sql").read_text(encoding="utf-8")
