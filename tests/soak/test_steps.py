"""The table of named steps is whole: it has each step of publishing, and each thing that a real service does."""

import json
from pathlib import Path

from sluice.lake import publish
from tests.soak.steps import POINTS, STEPS
from tests.soak.target import CHILDREN
from tests.support.service import Service
from tests.support.waiting import wait_until

_INJECTED = Path(__file__).parents[1] / "support/injected"
# The lock of keys.json, which is made once, and holds nothing; and the folders of the log of refused requests, which
# are made as the other log's are, beside them, so in no order: test_refused_histories.py has their deaths.
_NOT_A_STEP = ("/.keys.lock", "/log/refused", "/log/refused/open", "/log/refused/sealed", "/log/refused/damaged")


def _operations(record: Path, data_dir: Path) -> set[tuple[str, str, str, str]]:
    """Role, verb and paths of all that was done below the data folder."""
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    below = f"{data_dir}"
    return {
        (line["role"], line["verb"], line["path"], line["to"])
        for line in lines
        if line["path"].startswith(below) and not line["path"].endswith(_NOT_A_STEP)
    }


def test_every_step_of_publishing_has_its_deaths() -> None:
    stages = {step.stage.partition(",")[0] for step in STEPS if step.role == "lake"}

    assert set(publish.STEPS) - stages == set()


def test_every_point_has_a_name_of_its_own() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS)


def test_everything_that_a_real_service_does_to_its_disk_is_a_named_step(tmp_path: Path) -> None:
    record = tmp_path / "record"
    environment = {"PYTHONPATH": str(_INJECTED), "DISK_RECORD": str(record)}
    flags = ("--workers", "2", "--seal-age", "100ms", "--lake-age", "100ms")
    with Service(tmp_path / "data", *flags, environment=environment) as service:
        service.wait_until_all_workers_get_requests(2)
        assert service.post("a").status_code == 202
        dead = service.kill("worker-0")
        wait_until(
            lambda: (
                set(CHILDREN) <= service.run_file.children.keys() and service.run_file.children["worker-0"].pid != dead
            ),
            within_s=20,
            what="the worker is replaced",
        )
        assert service.post("b").status_code == 202
        service.command("keys", "create", "--kind", "client")
        service.flush()
        service.kill("lake")
        service.flush()
    assert service.has_ended

    done = _operations(record, tmp_path / "data")
    missing = {
        (role, verb, path.removeprefix(str(tmp_path)), to.removeprefix(str(tmp_path)))
        for role, verb, path, to in done
        if not any(step.covers(role, verb, (path, to)) for step in STEPS)
    }
    assert missing == set()
    assert {role.partition("-")[0] for role, *_ in done} >= {"worker", "lake", "supervisor"}
