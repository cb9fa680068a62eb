"""Where a setting's value comes from, and how an error names that place."""

from pathlib import Path

import pytest

from sluice.log.segment import new_segment_id, parse_id
from sluice.settings.load import find_data_dir, load
from sluice.settings.model import Settings, default_in_words, default_text
from sluice.settings.places import SettingsError
from sluice.settings.units import Address


def _load(flags: dict[str, object] | None = None, toml: str | None = None, **environ: str) -> Settings:
    if toml is not None:
        Path("sluice.toml").write_text(toml)
    return load(flags or {}, environ=environ)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_those_that_the_documentation_promises() -> None:
    settings = _load()

    assert (settings.listen, settings.admin) == (
        Address(host="127.0.0.1", port=8080),
        Address(host="127.0.0.1", port=9464),
    )
    assert (settings.seal_age, settings.lake_age, settings.drain_timeout) == (10, 60, 30)
    assert (settings.seal_size, settings.lake_size, settings.max_body) == (2**26, 2**27, 10 * 2**20)
    assert (settings.data_dir, settings.transcoding) == (Path("data"), "body")


def test_a_flag_counts_before_a_variable_before_the_file_before_the_default() -> None:
    toml = 'seal-age = "3s"\nlake-age = "3s"\ndrain-timeout = "3s"\n'

    settings = _load({"seal_age": "1s"}, toml, SLUICE_SEAL_AGE="2s", SLUICE_LAKE_AGE="2s")

    assert (settings.seal_age, settings.lake_age, settings.drain_timeout) == (1, 2, 3)
    assert settings.max_body == 10 * 2**20


def test_an_empty_variable_and_a_flag_that_was_not_given_say_nothing() -> None:
    assert _load({"seal_age": None}, 'seal-age = "3s"', SLUICE_SEAL_AGE="").seal_age == 3


def test_a_file_may_be_named_by_a_variable() -> None:
    Path("other.toml").write_text("workers = 3")

    assert _load(SLUICE_CONFIG="other.toml").workers == 3


def test_the_file_may_hold_its_own_numbers_and_truth_values() -> None:
    settings = _load(toml='workers = 3\narchive = true\naccess-log = "on"\nreflection = false')

    assert (settings.workers, settings.archive, settings.access_log) == (3, True, True)
    assert settings.reflection == "off"


def test_more_in_flight_follows_from_larger_bodies_unless_it_is_set() -> None:
    assert _load({"max_body": "100MiB"}).in_flight == 400 * 2**20
    assert _load({"max_body": "100MiB", "in_flight": "100MiB"}).in_flight == 100 * 2**20


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "message", "hint"),
    [
        pytest.param({"seal_age": "10"}, {}, "", '--seal-age: "10" has no unit', "write 10s, 500ms or 2m", id="flag"),
        pytest.param(
            {}, {"SLUICE_SEAL_AGE": "10"}, "", 'SLUICE_SEAL_AGE: "10" has no unit', "write 10s", id="variable"
        ),
        pytest.param({}, {}, "seal-age = 10", 'sluice.toml: seal-age: "10" has no unit', "write 10s", id="file"),
        pytest.param({"max_body": "10"}, {}, "", '--max-body: "10" has no unit', "write 512KiB", id="size"),
        pytest.param({"workers": "0"}, {}, "", '--workers: "0" is less than 1', "one per core", id="too little"),
        pytest.param({"seal_age": "2h"}, {}, "", '--seal-age: "2h" is more than 1h', "10s", id="too much"),
        pytest.param({"workers": "two"}, {}, "", '--workers: "two" is not a whole number', "write 4", id="no number"),
        pytest.param({"edge": "mine"}, {}, "", '--edge: "mine" is none of', "embedded or external", id="no such word"),
        pytest.param({"node": "a-b"}, {}, "", '--node: "a-b" is not a name', "write node_1", id="no name"),
        pytest.param({}, {}, "archive = 1", 'sluice.toml: archive: "1" is neither on nor off', "on or off", id="truth"),
        pytest.param({}, {}, "workers = [1]", "sluice.toml: workers: a list", "one per core", id="list"),
        pytest.param({}, {}, 'data-dir = ""', "sluice.toml: data-dir: no name of a folder", "./data", id="no folder"),
        pytest.param({}, {}, "seal_age = 1", 'sluice.toml: there is no setting "seal_age"', "seal-age?", id="key"),
        pytest.param({}, {}, "[a]", 'sluice.toml: there is no setting "a"', "sluice up --help", id="nothing like it"),
        pytest.param(
            {}, {"SLUICE_SEALAGE": "1s"}, "", "SLUICE_SEALAGE: there is no such", "SLUICE_SEAL_AGE?", id="unknown"
        ),
        pytest.param({}, {}, "seal-age = ", "sluice.toml: not TOML: ", 'seal-age = "10s"', id="no TOML"),
        pytest.param({"extra_paths": "a"}, {}, "", '--extra-paths: "a" does not begin', "write /a", id="no path"),
        pytest.param(
            {}, {"SLUICE_EXTRA_PATHS": "/a,/a"}, "", 'SLUICE_EXTRA_PATHS: "/a" is there twice', "once", id="path twice"
        ),
        pytest.param(
            {}, {}, 'upstream = "api.example.com"', "sluice.toml: upstream: not the URL of a", "https://", id="no URL"
        ),
        pytest.param(
            {"upstream": "http://localhost:8080"}, {}, "", '--upstream: "localhost:8080" is this', "another", id="loop"
        ),
        pytest.param({"upstream_ca": "no.pem"}, {}, "", '--upstream-ca: "no.pem": no such', "exists", id="no CA"),
        pytest.param(
            {"in_flight": "8MiB"}, {}, "", "--in-flight: 8MiB is less than one body", "leave it out", id="no fit"
        ),
    ],
)
def test_an_error_names_the_place_the_value_and_a_way_out(
    flags: dict[str, object], environ: dict[str, str], toml: str, message: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(flags, toml, **environ)

    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_a_named_file_must_exist() -> None:
    with pytest.raises(SettingsError, match=r"^nope\.toml: no such file"):
        load({}, config="nope.toml", environ={})


def test_a_file_that_is_no_utf_8_is_no_toml() -> None:
    Path("sluice.toml").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match="not TOML"):
        load({}, environ={})


def test_the_variables_that_kubernetes_makes_for_a_service_called_sluice_are_not_ours() -> None:
    _load(SLUICE_SERVICE_HOST="10.0.0.1", SLUICE_PORT="tcp://10.0.0.1:80", SLUICE_PORT_80_TCP_ADDR="10.0.0.1")


def test_the_name_of_a_node_can_stand_in_the_id_of_a_segment() -> None:
    hour = "20260101T00"
    for node in (_load().node, _load({"node": "a_1"}).node, "x" * 64):
        parsed = parse_id(new_segment_id(hour=hour, node=_load({"node": node}).node))

        assert parsed is not None
        assert parsed.node == node


def test_the_data_folder_is_found_by_the_same_order_and_whatever_is_wrong_with_other_settings() -> None:
    Path("sluice.toml").write_text('data-dir = "from-file"\nseal-age = 10')

    assert find_data_dir(flag=Path("from-flag"), environ={"SLUICE_DATA_DIR": "from-variable"}) == Path("from-flag")
    assert find_data_dir(flag=None, environ={"SLUICE_DATA_DIR": "from-variable"}) == Path("from-variable")
    assert find_data_dir(flag=None, environ={}) == Path("from-file")


def test_a_name_in_another_spelling_says_nothing_of_the_data_folder() -> None:
    Path("sluice.toml").write_text('data_dir = "elsewhere"')

    assert find_data_dir(flag=None, environ={"SLUICE_data_dir": "elsewhere", "sluice_data_dir": "a"}) == Path("data")


def test_every_setting_has_a_sentence_and_its_written_default_is_read_as_the_default() -> None:
    defaults = _load()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        if not default_in_words(field):
            assert getattr(_load({name: default_text(field)}), name) == getattr(defaults, name), name
