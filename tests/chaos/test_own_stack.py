"""A stack of one's own has one run at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.own_stack import alone, own_stack


def test_a_second_run_is_refused_before_it_takes_anything_down(tmp_path: Path) -> None:
    with alone(tmp_path):
        with pytest.raises(SystemExit, match="another run has the stack"):
            with own_stack(tmp_path, "dev", tmp_path):
                pytest.fail("two runs have one stack")
    with alone(tmp_path):
        assert (tmp_path / "run.lock").exists()
