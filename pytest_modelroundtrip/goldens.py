"""Bundles as items of pytest: what was saved once is reloaded and compared in each environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from . import bundles, settings
from .fixture import conclude
from .model import ModelGroup
from .plan import Plan
from .portable import bundle_files
from .presentable import printable
from .reporting import failure
from .result import RoundTrip, RoundTripError
from .roundtrip import check_recorded
from .session import RoundTripCase, Session
from .setting_values import SettingsError


def is_golden(folder: Path, config: pytest.Config) -> bool:
    """Whether that folder is a bundle, among the goldens of the ini file or named by the user."""
    if not bundles.is_bundle(folder):
        return False
    named = [config.invocation_params.dir / argument for argument in config.args]
    roots = [*settings.golden_folders(config), *named]
    return any(folder.is_relative_to(root.resolve()) for root in roots)


class GoldenDirectory(pytest.Directory):
    """A bundle, with an item for each environment: `goldens/encoder.keras[tf221]`."""

    round_trips: Session

    @classmethod
    def made(cls, parent: pytest.Collector, path: Path, round_trips: Session) -> GoldenDirectory:
        """The collector of the bundle at that path."""
        made: GoldenDirectory = cls.from_parent(parent, path=path)
        made.round_trips = round_trips
        return made

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each environment.

        Raises:
            CollectError: for a bundle that cannot be read, or options that cannot be used.
        """
        try:
            fmt = bundles.read_format(self.path)
            case = self.round_trips.cases([])[0]
        except (bundles.BundleError, SettingsError) as error:
            raise self.CollectError(printable(str(error))) from None
        failures = settings.golden_failures(self.config)
        for environment in case.settings.environments:
            name = f"{self.path.name}[{environment}]"
            nodeid = f"{self.nodeid}[{environment}]"
            item: GoldenItem = GoldenItem.from_parent(self, name=name, nodeid=nodeid)
            item.round_trips = self.round_trips
            item.case = RoundTripCase(fmt, environment, case.settings)
            if name in failures:
                item.add_marker(
                    pytest.mark.xfail(reason=failures[name], strict=True, raises=RoundTripError)
                )
            yield item


class GoldenItem(pytest.Item):
    """The check of a bundle in one environment."""

    round_trips: Session
    case: RoundTripCase

    def runtest(self) -> None:
        """Check it.

        Raises:
            RoundTripError: where something is not as it was recorded.
        """
        __tracebackhide__ = True
        trip = self._checked()
        config = self.config
        config.hook.pytest_modelroundtrip_finished(trip=trip, config=config)
        command = ""
        if (self.path / bundle_files.RELOAD).exists():
            environment = self.round_trips.environments[trip.environment]
            command = environment.reproduce_command(str(self.path))
        text = "" if trip.passed else failure.failure_text(trip, True, command)
        conclude(self, self.case.environment, trip, text, pytrace=False)

    def _checked(self) -> RoundTrip:
        __tracebackhide__ = True
        try:
            bundle = bundles.read(self.path)
        except bundles.BundleError as error:
            raise RoundTripError(failure.shortened(str(error)), pytrace=False) from None
        fmt = self.round_trips.formats.get(bundle.format)
        if fmt is None:
            raise RoundTripError(
                f"the format {printable(bundle.format)} is not one of this run: install the plugin "
                f"that has it, or run {bundle_files.RELOAD} --check in {printable(str(self.path))}",
                pytrace=False,
            )
        record = bundle.recorded
        tolerances = replace(
            self.case.settings, exact=record.exact, rtol=record.rtol, atol=record.atol
        )
        environment = self.round_trips.environments[self.case.environment]
        return check_recorded(Plan(ModelGroup({}), fmt, environment, tolerances, self.path), bundle)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is, for reports."""
        return self.path, None, f"golden {self.name}"
