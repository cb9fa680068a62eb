"""The same API as one would write it in an afternoon: FastAPI, pydantic, rows in a list, and pyarrow at the end.

    uvicorn --uds … bench.baselines.afternoon:app        AFTERNOON_LAKE=folder

It acknowledges what stands in memory alone: what it takes is a ratio, not a rival.
"""

# ruff: noqa: N815  the names are those of the API
import asyncio
import os
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import FastAPI
from pydantic import BaseModel

_LAKE = Path(os.environ.get("AFTERNOON_LAKE", "."))
_ROWS_OF_A_FILE = 50_000


class User(BaseModel):
    """Of an event."""

    userID: str | None = None
    email: str | None = None
    custom: dict[str, Any] | None = None
    customIDs: dict[str, str] | None = None
    country: str | None = None
    appVersion: str | None = None


class Event(BaseModel):
    """One event."""

    eventName: str
    user: User | None = None
    time: int | None = None
    value: str | float | None = None
    metadata: dict[str, Any] | None = None
    secondaryExposures: list[dict[str, Any]] | None = None


class Request(BaseModel):
    """A body."""

    events: list[Event]
    statsigMetadata: dict[str, Any] | None = None


app = FastAPI()
_rows: list[dict[str, Any]] = []


def _write(rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), _LAKE / f"{uuid.uuid4()}.parquet", compression="zstd")


def _row(event: Event, about: dict[str, Any] | None) -> dict[str, Any]:
    user = event.user or User()
    return {
        "event_name": event.eventName,
        "time": event.time,
        "value": None if event.value is None else str(event.value),
        "metadata": None if event.metadata is None else str(event.metadata),
        "secondary_exposures": None if event.secondaryExposures is None else str(event.secondaryExposures),
        "user_id": user.userID,
        "email": user.email,
        "custom": None if user.custom is None else str(user.custom),
        "custom_ids": None if user.customIDs is None else str(user.customIDs),
        "country": user.country,
        "app_version": user.appVersion,
        "sdk": str(about),
    }


@app.post("/v1/log_event", status_code=202)
async def log_event(request: Request) -> dict[str, bool]:
    _rows.extend(_row(event, request.statsigMetadata) for event in request.events)
    if len(_rows) >= _ROWS_OF_A_FILE:
        rows = _rows.copy()
        _rows.clear()
        await asyncio.to_thread(_write, rows)
    return {"success": True}


@app.post("/flush")
async def flush() -> dict[str, bool]:
    rows = _rows.copy()
    _rows.clear()
    await asyncio.to_thread(_write, rows)
    return {"success": True}
