"""Do video ids look like AVA's, which are YouTube's: eleven characters drawn at random?"""

import re
from collections.abc import Sequence

_YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
_COMMON = 3  # random ids do not begin alike; numbered ones ("Camera_0001") do


def are_ava_names(names: Sequence[str]) -> bool:
    """Tell whether all names look like YouTube's; names that were given out by people mostly do not.

    One name in three hundred has no capital or no small letter by chance, so few may lack them.
    """
    if not names or not all(map(_YOUTUBE.fullmatch, names)):
        return False
    mixed = sum(name.lower() != name != name.upper() for name in names)
    if mixed < 0.9 * len(names):
        return False
    return len(names) == 1 or len({name[:_COMMON] for name in names}) > 1
