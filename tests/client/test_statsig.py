"""The names of PyPI `statsig`. That a program for it writes the same rows: test_service.py."""

import inspect
from collections.abc import Iterator
from enum import Enum

import pytest
import statsig as pypi
from statsig import statsig as pypi_statsig

from sluice.client import InvalidEvent, NotDelivered, QueueFull, Settings
from sluice.client.statsig import (
    NotServed,
    StatsigEnvironmentTier,
    StatsigEvent,
    StatsigOptions,
    StatsigRuntimeError,
    StatsigServer,
    StatsigUser,
    StatsigValueError,
    statsig,
)
from tests.support.stub_server import UNAUTHENTICATED, UNAVAILABLE, StubServer

KEY = "secret-of-tests"


@pytest.fixture
def logs(server: StubServer) -> Iterator[StatsigServer]:
    instance = StatsigServer()
    yield instance
    server.answer = lambda _: None
    instance.shutdown()


def _initialize(instance: StatsigServer, server: StubServer, **options: object) -> None:
    instance.initialize(KEY, StatsigOptions(api=f"http://{server.address}/v1", **options))


def test_every_option_of_pypi_statsig_is_taken() -> None:
    names = set(inspect.signature(pypi.StatsigOptions.__init__).parameters) - {"self"}

    StatsigOptions(**dict.fromkeys(names))  # none of them is an error
    with pytest.raises(TypeError, match="StatsigOptions has no option apy"):
        StatsigOptions(apy="http://127.0.0.1:8080")


def test_every_call_of_pypi_statsig_is_here_or_says_what_to_do() -> None:
    theirs = [name for name, value in vars(pypi_statsig).items() if inspect.isfunction(value)]
    here = set(statsig.__all__)

    for name in set(theirs) - here:
        with pytest.raises(NotServed, match=rf"{name}: .*keep PyPI statsig"):
            getattr(statsig, name)(None, None)
        with pytest.raises(NotImplementedError):
            getattr(statsig.get_instance(), name)(None, None)
    assert here <= set(theirs)
    for name in here:
        assert list(inspect.signature(getattr(statsig, name)).parameters) == list(
            inspect.signature(getattr(pypi_statsig, name)).parameters
        )
    with pytest.raises(AttributeError):
        statsig.no_such_call  # noqa: B018  looking it up is the test


@pytest.mark.parametrize("name", ["StatsigEvent", "StatsigUser"])
def test_events_and_users_have_the_fields_of_pypi_statsig(name: str) -> None:
    ours = {"StatsigEvent": StatsigEvent, "StatsigUser": StatsigUser}[name]

    assert list(inspect.signature(ours).parameters) == list(inspect.signature(getattr(pypi, name)).parameters)


class Plan(Enum):
    PRO = "pro"


def test_private_attributes_are_never_sent_and_never_shown(logs: StatsigServer, server: StubServer) -> None:
    user = StatsigUser(7, custom={"plan": Plan.PRO}, private_attributes={"password": "hunter2"}, custom_ids={"a": 1})
    _initialize(logs, server, tier=StatsigEnvironmentTier.staging)
    logs.log_event(StatsigEvent(user, "e", metadata={"plan": Plan.PRO}))
    logs.flush()
    [event] = server.calls[0].request.events

    assert "hunter2" not in str(event) + repr(user)
    assert (event.user.user_id, dict(event.user.custom_ids)) == ("7", {"a": "1"})
    assert (event.user.custom["plan"], event.metadata["plan"]) == ("pro", "pro")
    assert event.user.statsig_environment.tier == "staging"


@pytest.mark.parametrize(
    "make",
    [
        StatsigUser,
        lambda: StatsigEvent(StatsigUser("u"), ""),
        lambda: StatsigEvent(StatsigUser("u"), "e", value=True),
        lambda: StatsigEvent(StatsigUser("u"), "e", value=[]),
        lambda: StatsigEvent(StatsigUser("u"), "e", statsigMetadata={"a": 1}),
        lambda: StatsigOptions(tier=7),
        lambda: StatsigServer().initialize(KEY),
    ],
)
def test_what_cannot_be_is_told_where_it_is_made(make: object) -> None:
    with pytest.raises(StatsigValueError):
        make()


def test_a_wrong_call_is_told_at_the_call(logs: StatsigServer, server: StubServer) -> None:
    with pytest.raises(StatsigRuntimeError, match="Must call initialize"):
        logs.log_event(StatsigEvent(StatsigUser("u"), "e"))
    _initialize(logs, server)
    assert logs.is_initialized()
    _initialize(logs, server)
    with pytest.raises(InvalidEvent, match=r"metadata\['a'\]: expected a JSON value, got set"):
        logs.log_event(StatsigEvent(StatsigUser("u"), "e", metadata={"a": {1}}))


def test_what_the_world_does_is_told_to_the_callback_and_never_raised(
    logs: StatsigServer, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, Exception]] = []
    server.answer = lambda _: UNAVAILABLE
    settings = Settings(queue_events=2, wait_for_room_s=0, close_timeout_s=0.1)
    _initialize(logs, server, client_settings=settings, sdk_error_callback=lambda tag, error: told.append((tag, error)))
    for _ in range(5):
        logs.log_event(StatsigEvent(StatsigUser("u"), "e"))
    server.answer = lambda _: UNAUTHENTICATED
    logs.flush()
    logs.shutdown()

    assert [(tag, type(error)) for tag, error in told] == [
        *[("log_event", QueueFull)] * 3,
        ("flush", NotDelivered),
        ("shutdown", NotDelivered),
    ]
    messages = [record.getMessage() for record in caplog.records if "statsig." in record.getMessage()]
    assert [message.partition(":")[0] for message in messages] == [
        "statsig.log_event",
        "statsig.flush",
        "statsig.shutdown",
    ]
    assert messages[1].endswith("since the last message: 2")


def test_a_callback_that_fails_reaches_nobody(logs: StatsigServer, server: StubServer) -> None:
    def fail(_: str, __: Exception) -> None:
        raise KeyError

    server.answer = lambda _: UNAUTHENTICATED
    _initialize(logs, server, sdk_error_callback=fail)
    logs.log_event(StatsigEvent(StatsigUser("u"), "e"))
    logs.flush()


@pytest.mark.parametrize("option", ["local_mode", "disable_all_logging"])
def test_nothing_is_sent_where_that_is_asked_for(logs: StatsigServer, server: StubServer, option: str) -> None:
    _initialize(logs, server, **{option: True})
    logs.log_event(StatsigEvent(StatsigUser("u"), "e"))
    logs.flush()

    assert server.calls == []


def test_options_of_events_reach_the_client() -> None:
    options = StatsigOptions(
        "http://a/v1",
        api_for_log_event="http://b/v1",
        timeout=3,
        event_queue_size=7,
        client_settings=Settings(linger_s=9),
    )

    assert options.api == "http://b/v1"
    assert (options.settings.call_timeout_s, options.settings.batch_events, options.settings.linger_s) == (3, 7, 9)


def test_it_can_be_started_again_after_its_end(logs: StatsigServer, server: StubServer) -> None:
    for name in ("a", "b"):
        _initialize(logs, server)
        logs.log_event(StatsigEvent(StatsigUser("u"), name))
        logs.shutdown()

    assert server.acknowledged == ["a", "b"]
