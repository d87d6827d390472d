"""A fork of a warm interpreter, by hand: load, one call, the outputs sent back.

The module is run in an interpreter of its own, in which the runtime of TensorFlow never starts:
it reads one job per line, and answers with the seconds that the fork took.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from benchmarks import by_hand


class WarmInterpreter:
    """The interpreter that is forked, from outside."""

    def __init__(self, to: IO[str], answers: IO[str]) -> None:
        self._to, self._answers = to, answers

    def seconds(self, name: str, format_name: str, folder: Path) -> float:
        """How long a fork takes until the outputs of the model in that folder are there.

        The arguments are beside the model.
        """
        print(json.dumps([name, format_name, str(folder)]), file=self._to, flush=True)
        return float(json.loads(self._answers.readline()))


@contextlib.contextmanager
def warm_interpreter() -> Iterator[WarmInterpreter]:
    """Start it; it ends with the block."""
    command = [sys.executable, "-m", "benchmarks.bare_fork"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        yield WarmInterpreter(process.stdin, process.stdout)
        process.stdin.close()


def main() -> None:
    """Answer until the line is closed."""
    import tensorflow_hub  # noqa: F401  what a fork needs is imported once, before

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    gc.freeze()
    for line in sys.stdin:
        name, format_name, folder = json.loads(line)
        print(json.dumps(_forked(name, format_name, Path(folder))), file=answers, flush=True)


def _forked(name: str, format_name: str, folder: Path) -> float:
    began = time.perf_counter()
    source, sink = os.pipe()
    pid = os.fork()
    if not pid:
        arguments = pickle.loads((folder / by_hand.ARGUMENTS).read_bytes())
        outputs = by_hand.load(name, format_name, folder)(*arguments)
        with os.fdopen(sink, "wb") as out:
            pickle.dump(outputs, out)
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as answer:
        outputs = pickle.load(answer)
        spent = time.perf_counter() - began
    os.waitpid(pid, 0)
    assert outputs, "nothing came back"
    return spent


if __name__ == "__main__":
    main()
