"""Lets a lake writer load the compiled decoder when it starts, not when it has decoded much: a run of short lives."""

import threading

import process_role


def install() -> None:
    """From now on, in a lake writer; it must have been compiled on this machine before."""
    if not process_role.role().startswith("lake"):
        return
    from sluice.lake.native.ready import CompiledDecoder  # noqa: PLC0415  only in the process that is meant

    def prepare_after(decoder: CompiledDecoder, _events: int, **_: object) -> None:
        decoder._preparing = threading.Thread(target=decoder.load, daemon=True)
        decoder._preparing.start()

    CompiledDecoder.prepare_after = prepare_after  # type: ignore[method-assign]  for as long as this process lives
