"""``ava-detect evaluate``: the command lives in ``evaluation``, where it also runs by itself."""

from evaluation.command import configure, run

__all__ = ["configure", "run"]
