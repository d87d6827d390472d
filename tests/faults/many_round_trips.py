"""Many round trips in one run, with a random fault in every tenth.

python tests/faults/many_round_trips.py [--count 1000] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.rig import INNER, FaultyRun, Record
from faults.table import FAULTS

MOST_GROWTH = 1.5  # it is 1 where nothing grows; chance moves it by a tenth


def main() -> int:
    """Run them and say what came of them; 0 where all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    print(f"--count {given.count} --seed {given.seed}", flush=True)
    quick = [name for name, fault in FAULTS.items() if fault.is_quick]
    draw = random.Random(given.seed)
    names = [draw.choice(quick) if n % 10 == 9 else "good" for n in range(given.count)]
    with tempfile.TemporaryDirectory() as folder:
        run = FaultyRun(Path(folder))
        run.choose(names)
        run.start(str(INNER / "many_round_trips.py")).wait()
        records = run.records()
        left = run.left()
    return judged([records[str(n)] for n in range(len(names)) if str(n) in records], names, left)


def judged(records: Sequence[Record], names: Sequence[str], left: Sequence[str]) -> int:
    """Print the figures; 0 where each round trip had the right verdict and nothing is left."""
    expected = [is_as_expected(record, name) for record, name in zip(records, names, strict=False)]
    faults = [ok for ok, name in zip(expected, names, strict=False) if name != "good"]
    good = [ok for ok, name in zip(expected, names, strict=False) if name == "good"]
    print(f"{sum(faults)} of {len(faults)} faults with the right verdict")
    print(f"{sum(good)} of {len(good)} others passed")
    all_left = [*left, *(item for record in records for item in record.left)]
    print(f"left: {all_left or 'nothing'}")
    more = growth(records, names)
    print(f"CPU seconds of a good one, last hundred to first hundred: {more:.2f}")
    for record, name, ok in zip(records, names, expected, strict=False):
        if not ok:
            print(f"{record.name} {name}: {record.verdict}: {record.text[:500]}")
    is_whole = all(expected) and len(records) == len(names)
    return int(not is_whole or bool(all_left) or more > MOST_GROWTH)


def is_as_expected(record: Record, name: str) -> bool:
    """Whether a round trip came to what it should."""
    if name == "good":
        return record.verdict == "exact"
    return record.verdict == FAULTS[name].verdict and FAULTS[name].says in record.text


def growth(records: Sequence[Record], names: Sequence[str]) -> float:
    """How many times more the last hundred good ones used of CPUs than the first hundred.

    CPU seconds do not grow with what else the machine does. Of each hundred the middle half counts:
    after some faults an interpreter starts anew.
    """
    seconds = [record.cpu for record, name in zip(records, names, strict=False) if name == "good"]
    some = min(100, len(seconds) // 2)
    last, first = (
        sum(sorted(part)[some // 4 : some - some // 4])
        for part in (seconds[-some:], seconds[:some])
    )
    return last / first


if __name__ == "__main__":
    sys.exit(main())
