"""Do video ids look like AVA's, which are YouTube's: eleven characters drawn at random?"""

import re
from collections.abc import Sequence
from itertools import pairwise

_YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_CHANGES = 4.5  # of the kind of character within a name; random ones have 6.4 on average
_COMMON = 3  # random names do not begin alike; numbered ones ("Camera_0001") do


def are_ava_names(names: Sequence[str]) -> bool:
    """Tell whether all names look like YouTube's; names that were given out by people mostly do not."""
    if not names or not all(map(_YOUTUBE.fullmatch, names)):
        return False
    changes = sum(sum(_kind(a) != _kind(b) for a, b in pairwise(name)) for name in names) / len(names)
    has_capitals = any(name != name.lower() for name in names)
    differ = len(names) == 1 or len({name[:_COMMON] for name in names}) > 1
    return changes >= _CHANGES and has_capitals and differ


def _kind(character: str) -> str:
    """Return a letter that stands for digits, small letters, capitals, or the rest."""
    if character.isdigit():
        return "0"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return "_"
