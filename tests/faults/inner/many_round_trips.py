"""Round trips with the chosen faults, in that order; each test has its number for a name."""

from __future__ import annotations

import os

from faults.inner.roundtrips import round_trip_with

for number, fault in enumerate(os.environ["ROUNDTRIP_FAULTS_CHOSEN"].split(",")):
    globals()[f"test_{number}"] = round_trip_with(fault)
