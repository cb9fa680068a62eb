"""pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.support.engines.arrow_rows import OPERATORS, type_name


def table(names: dict[str, Any]) -> dict[str, Any]:
    frame = names["events"]
    rows = [dict(zip(frame.columns, map(_plain, row), strict=True)) for row in frame.itertuples(index=False)]
    return {"types": {name: type_name(kind) for name, kind in frame.dtypes.items()}, "rows": rows}


def count(names: dict[str, Any], predicate: tuple[str, str, Any]) -> int:
    column, sign, value = predicate
    series = names["events"][column]
    return int((series.isna() if value is None else OPERATORS[sign](series, value)).sum())


def close() -> None:
    """There is nothing to close."""


def _plain(value: Any) -> Any:
    match value:
        case list():
            return dict(value)
        case pd.Timestamp():
            return value.to_pydatetime()
        case _:
            return None if value is pd.NA else value
