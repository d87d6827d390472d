"""Each of the chosen faults is followed by a round trip that has to be good."""

from __future__ import annotations

import os

from faults.inner.roundtrips import round_trip_with

globals()["test_first"] = round_trip_with("good")
for fault in os.environ["ROUNDTRIP_FAULTS_CHOSEN"].split(","):
    globals()[f"test_{fault}"] = round_trip_with(fault)
    globals()[f"test_after_{fault}"] = round_trip_with("good")
