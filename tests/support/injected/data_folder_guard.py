"""Watches this process for file operations below the data folder that do not come from sluice/disk.py."""

import os
import sys
import sysconfig

_PATH_EVENTS = {
    "open": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.truncate": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.link": (0, 1),
    "os.symlink": (0, 1),
    "os.chmod": (0,),
    "os.utime": (0,),
    "os.listdir": (0,),
    "os.scandir": (0,),
}
_STANDARD_LIBRARY = os.path.realpath(sysconfig.get_path("stdlib")) + os.sep
_SITE_PACKAGES = os.sep + "site-packages" + os.sep
_ALLOWED = "sluice/disk.py"


def _who_asked() -> str:
    """The first caller outside of the standard library."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        standard = name.startswith("<frozen") or (
            os.path.realpath(name).startswith(_STANDARD_LIBRARY) and _SITE_PACKAGES not in name
        )
        if not standard:
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return "the interpreter"


def install(folder: str, report: str) -> None:
    """Write a line to `report` for each file operation below `folder` that another module asks for."""
    below = os.path.realpath(folder) + os.sep
    report_fd = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        for position in _PATH_EVENTS.get(event, ()):
            path = arguments[position]
            if isinstance(path, int) or path is None:
                continue
            text = os.fsdecode(path)  # type: ignore[arg-type]  # the events above give paths
            if os.path.abspath(text).startswith(below):  # noqa: PTH100  a Path would ask for files itself
                who = _who_asked()
                if not who.split(":")[0].endswith(_ALLOWED):
                    os.write(report_fd, f"{event} {text} by {who}\n".encode())

    sys.addaudithook(watch)
