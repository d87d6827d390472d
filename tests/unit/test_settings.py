"""Options: which value wins, what is refused, and what errors name."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from pytest_modelroundtrip import setting_values, settings
from pytest_modelroundtrip.setting_values import AvailableNames, SettingsError

NAMES = AvailableNames(
    formats=("keras", "h5", "hub", "json"),
    default_formats=("keras", "h5", "hub"),
    environments=("here", "tf215"),
    checks=("weights", "outputs"),
)


class Config:
    """The options of a run: `line` of the command line, `ini` of the ini file."""

    def __init__(self, folder: Path, line: dict[str, str], ini: dict[str, object]) -> None:
        self._line, self._ini = line, ini
        self.invocation_params = pytest.Config.InvocationParams(args=(), plugins=None, dir=folder)

    def getoption(self, name: str) -> str | None:
        """As pytest's."""
        return self._line.get(name.removeprefix("roundtrip_"))

    def getini(self, name: str) -> object:
        """As pytest's."""
        return self._ini.get(name.removeprefix("roundtrip_"))


def resolve(
    marker: dict[str, object] | None = None,
    line: dict[str, str] | None = None,
    ini: dict[str, object] | None = None,
    folder: Path | None = None,
) -> settings.Settings:
    """The settings of a test with that marker."""
    config = Config(folder or Path(), line or {}, ini or {})
    marks = [pytest.mark.roundtrip(**marker).mark] if marker is not None else []
    return settings.resolve(cast(pytest.Config, config), marks, NAMES)


def test_defaults() -> None:
    found = resolve()
    assert found == settings.Settings(formats=("keras", "h5", "hub"))
    assert (found.environments, found.timeout, found.keep) == (("here",), 300.0, "failed")
    assert not found.marker_names_formats and not found.formats_by_name


def test_the_nearest_value_wins_and_its_source_is_known() -> None:
    ini: dict[str, object] = {"formats": ["hub"], "timeout": "5"}
    assert resolve(ini=ini).formats == ("hub",)
    found = resolve({"formats": ["h5"]}, ini=ini)
    assert (found.formats, found.timeout, found.marker_names_formats) == (("h5",), 5.0, True)
    found = resolve({"formats": ["h5"]}, {"formats": "hub, keras"}, ini)
    assert found.formats == ("keras", "hub")  # in the order of the available names
    assert found.formats_by_name and not found.marker_names_formats
    assert found.sources == {"formats": settings.COMMAND_LINE, "timeout": settings.INI}


def test_of_several_markers_the_nearest_wins() -> None:
    marks = [pytest.mark.roundtrip(formats=["h5"]).mark, pytest.mark.roundtrip(exact=True).mark]
    config = cast(pytest.Config, Config(Path(), {}, {}))
    found = settings.resolve(config, [*marks, pytest.mark.roundtrip(formats=["hub"]).mark], NAMES)
    assert (found.formats, found.exact) == (("h5",), True)


def test_exclude_always_counts() -> None:
    assert resolve({"exclude": ["h5"]}, {"formats": "h5,hub"}).formats == ("hub",)
    assert resolve({"exclude": ["h5"]}, {"formats": "h5"}).formats == ()  # pytest skips the test
    with pytest.raises(SettingsError, match="no format is left"):
        resolve({"exclude": ["h5"]}, ini={"formats": ["h5"]})


def test_folders_are_absolute_and_separated_by_commas_or_colons(tmp_path: Path) -> None:
    for name in ("a", "b c"):
        (tmp_path / name).mkdir()
    found = resolve(line={"pythonpath": " a: b c,"}, folder=tmp_path)
    assert found.pythonpath == (str(tmp_path / "a"), str(tmp_path / "b c"))
    with pytest.raises(
        SettingsError, match=r"\(the command line\): there is no folder '.*/nowhere'"
    ):
        resolve(line={"pythonpath": "nowhere"}, folder=tmp_path)
    with pytest.raises(SettingsError, match="there is no folder"):
        resolve(line={"pythonpath": "a\0"}, folder=tmp_path)


def test_variables_are_named_exactly_or_with_a_star() -> None:
    ini: dict[str, object] = {"pass_env": ["MY_*,OWN", "TF_CONFIG"]}
    assert resolve(ini=ini).pass_env == ("MY_*", "OWN", "TF_CONFIG")
    for given, message in [
        ("MY_OWN=1", "'MY_OWN=1' is not the name of a variable; a value is set in the specificat"),
        ("MY-*", "'MY-*' is not the name of a variable"),
        ("é", "'é' is not the name of a variable"),
        ("TMPDIR", "TMPDIR is not passed: a clean interpreter has its own folders"),
        ("PYTHONPATH", "PYTHONPATH is not passed"),
    ]:
        with pytest.raises(SettingsError) as caught:
            resolve(line={"pass_env": given})
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ({"formats": ["kers"]}, "unknown format 'kers'; did you mean 'keras'?"),
        ({"formats": ["x"]}, "formats=['x'] (the marker): unknown format 'x'; choose from keras,"),
        ({"formats": "keras"}, "a list of names is expected"),
        ({"formats": []}, "the list is empty"),
        ({"formats": [""]}, "a list of names is expected"),
        ({"checks": ["all", "weights"]}, "unknown check 'all'; choose from weights, outputs"),
        ({"environments": ["tf21"]}, "unknown environment 'tf21'; did you mean 'tf215'?"),
        ({"exact": 1}, "True or False is expected"),
        ({"rtol": 1e-3}, "rtol and atol go together"),
        ({"rtol": True, "atol": 0}, "a number that is not negative is expected"),
        ({"rtol": float("nan"), "atol": 0}, "a number that is not negative is expected"),
        ({"exact": True, "rtol": 0, "atol": 0}, "exact=True cannot be combined with rtol and atol"),
        ({"rtol": float("inf"), "atol": 0}, "a number that is not negative is expected"),
        ({"rtol": 10**400, "atol": 0}, "a number that is not negative is expected"),
        ({"checks": (name for name in "a")}, "a list of names is expected"),
        ({"generations": 0}, "a whole number from 1 to 10 is expected"),
        ({"generations": 11}, "a whole number from 1 to 10 is expected"),
        ({"generations": True}, "a whole number from 1 to 10 is expected"),
        ({"timeout": "soon"}, "a number of seconds above 0 is expected"),
        ({"timeout": True}, "a number of seconds above 0 is expected"),
        ({"memory_limit": "4 sheep"}, 'a number of bytes, or text such as "4GB", is expected'),
        ({"memory_limit": 0}, 'a number of bytes, or text such as "4GB", is expected'),
        ({"memory_limit": True}, 'a number of bytes, or text such as "4GB", is expected'),
        ({"timeout": 10**400}, "a number of seconds above 0 is expected"),
        ({"factory": "build"}, '"module:attribute" is expected'),
        ({"factory": "a:b:c"}, '"module:attribute" is expected'),
        ({"custom_objects": {"A": 3}}, '"module:attribute" is expected'),
        ({"custom_objects": ["a:b"]}, "a dict of name"),
        ({"expected_failures": {"h6": "why"}}, "unknown id 'h6'; did you mean 'h5'?"),
        ({"expected_failures": {"h5": ""}}, "a dict of id -> reason is expected"),
        ({"keep": "all"}, "unknown keyword 'keep'"),
        ({"format": ["h5"]}, "unknown keyword 'format'; did you mean 'formats'?"),
    ],
)
def test_what_is_refused(marker: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(marker)
    assert message in str(caught.value)


def test_all_formats_are_not_asked_for_by_name() -> None:
    found = resolve({"formats": "all", "exclude": ["h5"]})
    assert found.formats == ("keras", "hub", "json") and not found.marker_names_formats
    found = resolve({"formats": ["keras"]}, {"formats": "all"})
    assert found.formats == NAMES.formats and not found.formats_by_name
    assert resolve({"formats": ["json"]}).formats == ("json",)


def test_what_is_accepted() -> None:
    assert resolve({"checks": "all"}).checks == resolve({"checks": ["all"]}).checks == NAMES.checks
    assert resolve({"imports": {"b", "a"}}).imports == ("a", "b")
    assert resolve({"timeout": "2.5"}).timeout == 2.5
    for given, limit in ((7, 7), ("7", 7), ("1.5 GB", 15 * 10**8), ("2gib", 1 << 31)):
        assert resolve({"memory_limit": given}).memory_limit == limit
    assert resolve({"rtol": 0, "atol": 1}).atol == 1.0
    expected = {"keras-tf215": "why"}
    assert resolve({"expected_failures": expected}).expected_failures == expected
    assert resolve({"factory": "a.b:build"}).factory == "a.b:build"
    assert resolve({"custom_objects": {"A": "a:A"}}).custom_objects == {"A": "a:A"}
    assert resolve({"safe_mode": False}).safe_mode is False
    assert resolve(line={"isolation": "spawn"}).isolation == "spawn"


def test_ids() -> None:
    assert setting_values.case_id("keras", "here") == "keras"
    assert setting_values.case_id("keras", "tf215") == "keras-tf215"


def test_every_option_is_a_field_and_the_marker_shows_its_keywords() -> None:
    fields = settings.Settings(formats=())
    for option in settings.OPTIONS:
        assert option.name == "exclude" or hasattr(fields, option.name)
        assert (option.name in settings.MARKER_SIGNATURE) == option.in_marker
        assert bool(option.help) == bool(option.ini)
