"""What lives as long as the test run: formats, clean interpreters, and one reference model."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import pytest

from . import setting_values, settings
from .bundles import bundle_settings
from .bundles.bundle_reader import Renewal
from .defined_environments import defined_environments, parsed_environments
from .environments import HERE, Environment
from .environments.archive import ArchiveError, portable_archive
from .environments.kinds import Kind
from .portable import checks, formats, keras_libs
from .portable.formats import Format
from .reference.model import ModelGroup
from .round_trip_case import RoundTripCase
from .setting_values import THIS_INTERPRETER, AvailableNames, SettingsError

FORMATS_HOOK = "pytest_modelroundtrip_formats"
ENVIRONMENTS_HOOK = "pytest_modelroundtrip_environments"


class Session:
    """One test run of one process.

    Args:
        config: pytest's.
        make_environment: makes an environment from its name, its kind, the archive that travels
            into it, and the isolation.
    """

    def __init__(
        self,
        config: pytest.Config,
        make_environment: Callable[[str, Kind, bytes, str], Environment] = Environment,
    ) -> None:
        self.config = config
        self.errors: dict[str, str] = {}  # in the settings of a test, by the id of the test
        self.recording = bundle_settings.recording_folder(config)  # where bundles go; None: nowhere
        self.failed_goldens: dict[Path, Renewal] = {}
        self._make_environment = make_environment
        self._held: tuple[object, ModelGroup] | None = None

    @cached_property
    def formats(self) -> dict[str, Format]:
        """The built-in formats, then those of the hook, by name.

        Raises:
            pytest.UsageError: for an answer of the hook that is not a format, or lacks something.
        """
        found = formats.built_in()
        for answer in self.config.hook.pytest_modelroundtrip_formats(config=self.config):
            if not isinstance(answer, (list, tuple)):
                raise _usage_error(FORMATS_HOOK, f"a list of formats is expected, not {answer!r}")
            for kind in answer:
                fmt = _added_format(kind)
                if fmt.name in found:
                    raise _usage_error(FORMATS_HOOK, f"a format {fmt.name!r} exists already")
                found[fmt.name] = fmt
        return found

    @cached_property
    def archive(self) -> bytes:
        """What travels into every clean interpreter.

        Raises:
            pytest.UsageError: for a format whose module cannot travel.
        """
        try:
            return portable_archive(type(fmt) for fmt in self.formats.values())
        except ArchiveError as error:
            raise _usage_error(FORMATS_HOOK, str(error)) from error

    @cached_property
    def environments(self) -> dict[str, Environment]:
        """`here`, then those of the hook, of the ini file and of the command line, by name.

        Raises:
            pytest.UsageError: for a specification that cannot be read, or a name that is taken.
        """
        of_run = self._run_settings
        kinds = {
            name: replace(kind, pass_env=of_run.pass_env)
            for name, kind in {THIS_INTERPRETER: HERE, **self._kinds}.items()
        }
        found = {
            name: self._make_environment(name, kind, self.archive, of_run.isolation)
            for name, kind in kinds.items()
        }
        for environment in found.values():
            environment.notify = self._notify
            if self.config.get_verbosity() > 0:
                environment.notify_progress = self._notify
        return found

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        defined = defined_environments(self.config)
        added: dict[str, Kind] = {}
        for answer in self.config.hook.pytest_modelroundtrip_environments(config=self.config):
            is_dict = isinstance(answer, dict)
            if not is_dict or not all(isinstance(text, str) for text in chain(*answer.items())):
                what = f"a dict of names and specifications is expected, not {answer!r}"
                raise _usage_error(ENVIRONMENTS_HOOK, what)
            parsed = parsed_environments(answer.items(), self.config.rootpath, ENVIRONMENTS_HOOK)
            for name in parsed.keys() & {*defined, *added}:
                taken = f"an environment {name!r} exists already"
                raise _usage_error(ENVIRONMENTS_HOOK, taken)
            added.update(parsed)
        return {**added, **defined}

    @cached_property
    def _run_settings(self) -> settings.Settings:
        """Those that no marker sets."""
        try:
            return settings.resolve(self.config, [], self.names)
        except SettingsError as error:
            raise pytest.UsageError(f"roundtrip {error}") from None

    @cached_property
    def names(self) -> AvailableNames:
        """The names that tests can use."""
        default = [name for name, fmt in self.formats.items() if not fmt.on_request]
        environments = (THIS_INTERPRETER, *self._kinds)
        return AvailableNames(tuple(self.formats), tuple(default), environments, checks.NAMES)

    def _notify(self, text: str) -> None:
        """Print past pytest's capture, also from xdist's workers, which have no terminal."""
        capture = self.config.pluginmanager.getplugin("capturemanager")
        disabled = capture.global_and_fixture_disabled if capture else contextlib.nullcontext
        with disabled():
            print(text, file=sys.stderr, flush=True)

    def cases(self, markers: Iterable[pytest.Mark]) -> list[RoundTripCase]:
        """The round trips of one test, in a fixed order.

        Raises:
            SettingsError: for a value of an option that cannot be used.
        """
        resolved = settings.resolve(self.config, markers, self.names)
        return [
            RoundTripCase(fmt, environment, resolved)
            for environment in resolved.environments
            for fmt in resolved.formats
        ]

    def start(self, names: Iterable[str]) -> None:
        """Start these environments: they import TensorFlow while this process does.

        What this machine refuses is raised at their first use.
        """
        for name in dict.fromkeys(names):
            with contextlib.suppress(OSError):
                self.environments[name].begin()

    def reference(self, key: object, build: Callable[[], ModelGroup | None]) -> ModelGroup | None:
        """The model of that key; one is held at a time, until another is asked for."""
        if self._held is None or self._held[0] != key:
            self.release()
            models = build()
            if models is None:
                return None  # a fixture did the round trip: the next item must call its test, too
            self._held = (key, models)
        return self._held[1]

    def bundles_wanted(self, name: str) -> list[Path]:
        """Where a bundle of that name is to be written: nowhere, mostly."""
        wanted = [self.recording / name] if self.recording is not None else []
        if self.config.getoption("roundtrip_update_goldens"):
            renewals = self.failed_goldens.values()
            wanted += [its.path for its in renewals if its.bundle == name and not its.is_old]
        return wanted

    def release(self) -> None:
        """Forget the model."""
        self._held = None

    def close(self) -> None:
        """End the clean interpreters."""
        self.release()
        if "environments" in vars(self):
            with contextlib.ExitStack() as closing:
                for environment in self.environments.values():
                    closing.callback(environment.close)


def _usage_error(hook: str, text: str) -> pytest.UsageError:
    return pytest.UsageError(f"{hook}: {text}")


def _added_format(kind: object) -> Format:
    if not isinstance(kind, type) or not issubclass(kind, Format):
        base = "pytest_modelroundtrip.portable.format_api.Format"
        raise _usage_error(FORMATS_HOOK, f"a subclass of {base} is expected, not {kind!r}")
    faults = formats.faults_of(kind)
    if faults:
        raise _usage_error(FORMATS_HOOK, f"{kind.__name__}: {'; '.join(faults)}")
    for name in kind.keeps:
        if name not in checks.NAMES:
            unknown = setting_values.unknown("check", name, checks.NAMES)
            raise _usage_error(FORMATS_HOOK, f"{kind.__name__}.keeps: {unknown}")
    try:
        return kind()
    except Exception as error:
        made = f"{kind.__name__}() raised {type(error).__name__}: {error}"
        raise _usage_error(FORMATS_HOOK, made) from error


def missing_tensorflow() -> str | None:
    """What to install, where there is neither TensorFlow nor a Keras with another backend."""
    elsewhere = keras_libs.chosen_backend() != "tensorflow" and keras_libs.is_installed("keras")
    if not elsewhere and not keras_libs.is_installed("tensorflow"):
        install = f'{sys.executable} -m pip install "pytest-modelroundtrip[cpu]"'
        return f"TensorFlow is not installed. Install it: {install}"
    return None
