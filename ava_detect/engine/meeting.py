"""A part of torchrun's key-value store that no earlier attempt of the same run has written to.

torchrun keeps one store for all attempts. When a worker dies and all are started again, the addresses of the
dead ones are still in it; a process that reads them before they are overwritten waits for ever. The number of
the attempt does not help: torchrun counts it on the machine whose worker died only. So the processes of an
attempt meet first: each shows a token that it has just drawn, the first answers with a name drawn by it,
and all acknowledge having seen it.
"""

import secrets
import time
from datetime import timedelta

from torch.distributed import PrefixStore, Store

_PREFIX = "ava_detect_meeting"
_POLL_S = 0.02


def fresh_store(store: Store, *, rank: int, world: int, patience: timedelta) -> Store:
    """Return a part of ``store`` that the processes of this attempt share and no others have used.

    Args:
        store: of torchrun, perhaps with what earlier attempts left.
        rank, world: which of how many this is.
        patience: how long to wait for the others.

    Raises:
        TimeoutError: they did not come.
    """
    place = PrefixStore(_PREFIX, store)
    end = time.monotonic() + patience.total_seconds()
    name = _invite(place, world, end) if rank == 0 else _attend(place, rank, end)
    return PrefixStore(f"{_PREFIX}/{name}", store)


def _invite(place: Store, world: int, end: float) -> str:
    """Name the meeting to whoever shows up, until all have said that they know it."""
    name = secrets.token_hex(8)
    while True:
        tokens = [_read(place, f"token/{rank}") for rank in range(1, world)]
        for rank, token in enumerate(tokens, start=1):
            place.set(f"name/{rank}", f"{name} {token}")
        seen = [_read(place, f"seen/{rank}") for rank in range(1, world)]
        if all(token and told == f"{name} {token}" for token, told in zip(tokens, seen, strict=True)):
            return name
        _wait(end)


def _attend(place: Store, rank: int, end: float) -> str:
    """Show a token until the first process answers with it; what earlier attempts left does not have it."""
    token = secrets.token_hex(8)
    place.set(f"token/{rank}", token)
    while True:
        name, _, answered = _read(place, f"name/{rank}").partition(" ")
        if answered == token:
            place.set(f"seen/{rank}", f"{name} {token}")
            return name
        _wait(end)


def _read(place: Store, key: str) -> str:
    """Return a value, "" if there is none yet."""
    return place.get(key).decode() if place.check([key]) else ""


def _wait(end: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError("the other processes of this run did not come")
    time.sleep(_POLL_S)
