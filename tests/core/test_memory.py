"""What was freed goes back to the system."""

import sys

import pytest

from automl.core.memory import give_back, resident_bytes

BLOCKS, BLOCK_BYTES = 50_000, 2_000


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone keeps it so")
def test_what_was_freed_between_blocks_in_use_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.core.memory._held", [0])
    blocks = [bytes(BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::1_000]
    del blocks
    held = resident_bytes()
    give_back()
    assert held - resident_bytes() > BLOCKS * BLOCK_BYTES / 2
    looked = []
    monkeypatch.setattr("automl.core.memory._trim", lambda: looked.append)
    give_back()
    assert not looked, "nothing has grown"
    assert len(kept) == 50
