"""Under pytest-xdist all round trips of one model go to one worker."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("xdist")

from pytest_modelroundtrip.xdist_scheduling import ModelsTogether, model_of


def test_the_model_of_an_item() -> None:
    of_models = [
        ["keras", "saved_model-tf215", "keras_saved_model", "h5"],
        ["small-h5", "small-weights", "small-weights_tf-here2"],
        ["not_keras"],
        ["a-keras-b-c"],
    ]
    found = [{model_of(f"test_a.py::test_it[{name}]") for name in names} for names in of_models]
    assert all(len(models) == 1 for models in found)
    assert len(set.union(*found)) == len(of_models)


class Worker:
    """Remembers what it is sent."""

    shutting_down = False

    def __init__(self, number: int) -> None:
        self.items: list[int] = []
        self.gateway = SimpleNamespace(id=f"gw{number}")

    def send_runtest_some(self, indices: list[int]) -> None:
        """These are to be run."""
        self.items += indices

    def shutdown(self) -> None:
        """No more will come."""
        self.shutting_down = True


@pytest.mark.parametrize("models", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("formats", [["keras"], ["keras", "h5", "export", "hub-tf215"]])
def test_models_stay_together(models: int, formats: list[str], pytester: pytest.Pytester) -> None:
    config = pytester.parseconfig("-p", "xdist", "--tx=2*popen", "--dist=load")
    scheduler, workers = ModelsTogether(config), [Worker(0), Worker(1)]
    items = [f"test_a.py::test_{n}[{name}]" for n in range(models) for name in formats]
    items += [f"test_a.py::test_plain[{n}]" for n in range(9)]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, items)
    scheduler.schedule()
    while scheduler.has_pending and not all(worker.shutting_down for worker in workers):
        for worker in workers:
            for index in scheduler.node2pending[worker][:1]:
                scheduler.mark_test_complete(worker, index)
    done = [{model_of(items[index]) for index in worker.items} for worker in workers]
    assert sorted(workers[0].items + workers[1].items) == [*range(len(items))]
    assert not done[0] & done[1]
    assert all(done)
