"""Bundles as items of pytest: what was saved once is reloaded and compared in each environment."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ..current_session import session_of
from ..fixture import conclude
from ..plan import Plan
from ..portable.bundles import bundle_files
from ..presentable import printable
from ..reference.model import ModelGroup
from ..reporting import failure
from ..result import FormatFailedError, RoundTrip, RoundTripError, Verdict
from ..round_trip_case import CASE, RoundTripCase
from ..roundtrip import check_recorded
from ..setting_values import SettingsError
from . import bundle_archives, bundle_reader, bundle_settings


class GoldenDirectory(pytest.Directory):
    """A bundle, with an item for each environment: `goldens/encoder.keras[tf221]`."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each environment.

        Raises:
            CollectError: for a bundle that cannot be read, or options that cannot be used.
        """
        return _items(self, self.path)


class GoldenArchive(pytest.File):
    """A bundle in one file: `encoder.keras.tar.gz::encoder.keras.tar.gz[tf221]`."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each environment.

        Raises:
            CollectError: as for a folder.
        """
        folder = tempfile.TemporaryDirectory(prefix="roundtrip-")
        self.config.add_cleanup(folder.cleanup)
        try:
            return _items(self, bundle_archives.unpack(self.path, Path(folder.name)))
        except bundle_reader.BundleError as error:
            raise self.CollectError(printable(str(error))) from None


def _items(collector: pytest.Collector, folder: Path) -> Iterator[pytest.Item]:
    config = collector.config
    session = session_of(config)
    try:
        fmt = bundle_reader.read_origin(folder).format
        case = session.cases([])[0]
    except (bundle_reader.BundleError, SettingsError) as error:
        raise collector.CollectError(printable(str(error))) from None
    failures = bundle_settings.expected_failures(config)
    # pytest has no id for a folder outside of the root folder
    test = collector.nodeid or printable(collector.path.as_posix())
    for environment in case.settings.environments:
        name = f"{collector.path.name}[{environment}]"
        # for `--lf` pytest reads the file of an id before `::`; a folder has no such ids
        nodeid = f"{test}::{name}" if collector.path.is_file() else f"{test}[{environment}]"
        item: GoldenItem = GoldenItem.from_parent(collector, name=name, nodeid=nodeid)
        item.bundle = folder
        item.stash[CASE] = RoundTripCase(fmt, environment, case.settings)
        if name in failures:
            item.add_marker(
                pytest.mark.xfail(reason=failures[name], strict=True, raises=FormatFailedError)
            )
        yield item


class GoldenItem(pytest.Item):
    """The check of a bundle in one environment."""

    bundle: Path

    def runtest(self) -> None:
        """Check it.

        Raises:
            RoundTripError: where something is not as it was recorded.
        """
        __tracebackhide__ = True
        trip = self._checked()
        config = self.config
        config.hook.pytest_modelroundtrip_finished(trip=trip, config=config)
        command, is_folder = "", self.bundle == self.path  # an archive is unpacked for the run only
        if is_folder and (self.bundle / bundle_files.RELOAD).exists():
            environment = session_of(self.config).environments[trip.environment]
            store = bundle_settings.store(config)
            arguments = [f"--store={store}"] if store else []
            command = environment.reproduce_command(str(self.bundle), *arguments)
        text = ""
        if not trip.passed and trip.verdict is not Verdict.UNSUPPORTED:
            failed = session_of(self.config).failed_goldens
            failed.setdefault(self.path, bundle_reader.renewal_of(self.path))
            text = failure.failure_text(trip, is_folder, command)
        conclude(self, self.stash[CASE].environment, trip, text, pytrace=False)

    def _checked(self) -> RoundTrip:
        __tracebackhide__ = True
        try:
            bundle = bundle_reader.read(self.bundle)
        except bundle_reader.BundleError as error:
            raise RoundTripError(failure.shortened(str(error)), pytrace=False) from None
        fmt = session_of(self.config).formats.get(bundle.origin.format)
        if fmt is None:
            raise RoundTripError(
                f"the format {printable(bundle.origin.format)} is not available in this run: "
                f"install the plugin that adds it, or run {bundle_files.RELOAD} --check in the "
                "bundle",
                pytrace=False,
            )
        record = bundle.recorded
        tolerances = replace(
            self.stash[CASE].settings, exact=record.exact, rtol=record.rtol, atol=record.atol
        )
        environment = session_of(self.config).environments[self.stash[CASE].environment]
        plan = Plan(ModelGroup({}), fmt, tolerances, self.bundle, environment)
        return check_recorded(plan, bundle, bundle_settings.store(self.config))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is, for reports."""
        return self.path, None, f"golden {self.name}"
