"""Runs lines of a document, or SQL, in an engine's own process, and says what the engine finds in the lake.

    python -m tests.support.engines.process ENGINE < job > answer

A process of its own: some engines don't bear each other, and Spark's environment has nothing but Spark. What goes in
and out are pickles of dicts of plain values.

    job      lines: str          Python that names the table `events`, as docs/lake.md has it; or none
             predicates: list    (column, operator, value): how many rows have it?
             statements: list    SQL, run one after the other behind the lines
    answer   printed: str        what the lines printed
             table: dict         {"types": {column: type}, "rows": [{column: value}]} of `events`; None without lines
             counts: list        for each predicate
             results: list       for each statement a table as above (None: it has no rows), or the text of its error

The modules beside this one are the engines: `table(names)` and `count(names, predicate)` with what the lines have
named, `sql(statement)` where the engine has SQL, `close()`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import sys
from typing import Any


def answer_of(engine: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Do what the job says."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    answer: dict[str, Any] = {"table": None, "counts": [], "results": []}
    if job["lines"]:
        with contextlib.redirect_stdout(printed):
            exec(job["lines"], names)
        answer["table"] = engine.table(names)
        answer["counts"] = [engine.count(names, predicate) for predicate in job["predicates"]]
    for statement in job["statements"]:
        try:
            answer["results"].append(engine.sql(statement))
        except Exception as exc:  # noqa: BLE001  whatever an engine raises is its answer
            answer["results"].append(str(exc))
    return answer | {"printed": printed.getvalue()}


def main() -> None:
    """Answer one job."""
    job = pickle.load(sys.stdin.buffer)
    # What engines print by themselves must not come between the bytes of the answer.
    out = os.dup(1)
    os.dup2(2, 1)
    engine = importlib.import_module(f"tests.support.engines.{sys.argv[1]}")
    answer = answer_of(engine, job)
    engine.close()
    with os.fdopen(out, "wb") as file:
        pickle.dump(answer, file)


if __name__ == "__main__":
    main()
