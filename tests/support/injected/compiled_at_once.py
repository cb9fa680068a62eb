"""Lets a process load what is compiled when it starts, not when it has done much without: a run of short lives."""

import threading

import process_role


def install() -> None:
    """From now on, in a worker or lake writer; it must have been compiled on this machine before."""
    if not process_role.role().startswith(("worker", "lake")):
        return
    from sluice.native.preparation import Preparation  # noqa: PLC0415  only in the processes that are meant

    def after(preparation: Preparation, _events: int, **_: object) -> None:
        preparation._thread = threading.Thread(target=preparation._load, daemon=True)
        preparation._thread.start()

    Preparation.after = after  # type: ignore[method-assign]  for as long as this process lives
