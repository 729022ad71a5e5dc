"""The harness of the benchmark: contenders take turns, and are compared round by round."""

import time
from collections.abc import Callable

import pytest
from bench import report
from bench.harness import Measured, Row, compare, side_by_side
from bench.server import NAME, SIZES, TinyServer

from neptun_sdk import NeptunClient


def test_a_ratio_is_taken_round_by_round_so_that_a_busy_machine_does_not_show() -> None:
    base, other = compare({"base": [1.0, 10.0, 2.0, 4.0], "other": [2.0, 20.0, 4.0, 10.0]})
    assert base == Measured("base", 3.0, 1.0, 1.0, 1.0)
    assert (other.name, other.median, other.ratio) == ("other", 7.0, 2.0)
    assert 2.0 <= other.low <= other.ratio <= other.high <= 2.5


def test_contenders_take_turns_and_the_first_round_warms_up() -> None:
    turns: list[str] = []

    def contender(name: str) -> Callable[[], None]:
        def call() -> None:
            turns.append(name)
            time.sleep(0.002)

        return call

    samples = side_by_side({name: contender(name) for name in "ab"}, rounds=3, batch=0.001, clock=time.perf_counter)
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 3, "b": 3}
    assert all(seconds >= 0.002 for taken in samples.values() for seconds in taken)
    assert turns[-8:] == list("abababab")


@pytest.mark.parametrize("project_id", SIZES)
def test_the_tiny_server_answers_with_the_size_that_the_project_stands_for(project_id: int) -> None:
    with TinyServer() as server, NeptunClient("a-session-cookie", 1, base_url=server.base_url) as client:
        project = client.update_project(project_id, name=NAME)
    assert project.id == project_id
    assert len(str(project.extra)) >= SIZES[project_id] * 0.9


def test_a_row_is_told_with_its_target_and_its_ratios() -> None:
    row = Row("one update", "µs", "at most 1.15", compare({"bare httpx": [300.0] * 4, "neptun-sdk": [330.0] * 4}), True)
    assert "one update (target: at most 1.15; met)" in report.text(row)
    assert "| one update | bare httpx | 300 µs | 1.000 | 1.000 to 1.000 | at most 1.15: met |" in report.markdown([row])
    assert "|  | **neptun-sdk** | 330 µs | 1.100 | 1.100 to 1.100 |  |" in report.markdown([row])
