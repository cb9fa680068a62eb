"""Several actors take turns, one operation each at a time, in an order that a function chooses.

Each is a thread of its own, and only the one whose turn it is runs: what would be several processes is one, and the
same choices give the same run.
"""

import threading
from collections.abc import Callable, Mapping, Sequence

_TURN_MAY_TAKE_S = 60.0


class Turns:
    """Lets actors run one at a time.

    Args:
        choose: picks who is next among the names of those that have not ended.
    """

    def __init__(self, choose: Callable[[Sequence[str]], str]) -> None:
        self._choose = choose
        self._turns: dict[str, threading.Semaphore] = {}
        self._over = threading.Semaphore(0)
        self._raised: list[BaseException] = []

    def run(self, actors: Mapping[str, Callable[[], None]]) -> None:
        """Run all to their ends; raise what one of them raised."""
        threads = {
            name: threading.Thread(target=self._act, args=(name, act), name=name) for name, act in actors.items()
        }
        self._turns = {name: threading.Semaphore(0) for name in actors}
        for thread in threads.values():
            thread.start()
        alive = list(actors)
        while alive:
            name = self._choose(alive)
            self._turns[name].release()
            assert self._over.acquire(timeout=_TURN_MAY_TAKE_S), f"{name} doesn't give its turn back"
            if name not in self._turns:
                threads[name].join()
                alive.remove(name)
        if self._raised:
            raise self._raised[0]

    def give_back(self) -> None:
        """Let another one go on; returns when it is the caller's turn again. Callers that are no actors go on."""
        name = threading.current_thread().name
        if name in self._turns:
            self._over.release()
            self._turns[name].acquire()

    def _act(self, name: str, act: Callable[[], None]) -> None:
        self._turns[name].acquire()
        try:
            act()
        except BaseException as exc:  # noqa: BLE001  it is raised where the turns are run
            self._raised.append(exc)
        finally:
            del self._turns[name]
            self._over.release()
