"""Python imports this at its start when this folder is on PYTHONPATH: so it reaches each process of a service."""

import os

# Before anything else is imported: some keep the clock as they find it.
if os.environ.get("CLOCK_SHIFT"):
    import clock_shift

    clock_shift.install(os.environ["CLOCK_SHIFT"])

if os.environ.get("DATA_FOLDER_GUARD"):
    import data_folder_guard

    data_folder_guard.install(*os.environ["DATA_FOLDER_GUARD"].split(":", 1))

if os.environ.get("DISK_RECORD"):
    import disk_recorder

    disk_recorder.install(os.environ["DISK_RECORD"], gate=os.environ.get("DISK_GATE", ""))

if os.environ.get("DISK_FAULTS"):
    import disk_faults

    disk_faults.install(os.environ["DISK_FAULTS"])

if os.environ.get("PLANTED_FAULT"):
    import planted

    planted.install(os.environ["PLANTED_FAULT"])

if os.environ.get("COMPILED_AT_ONCE"):
    import compiled_at_once

    compiled_at_once.install()
