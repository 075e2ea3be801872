"""The types of settings: Python annotations that also say which numbers are allowed.

``NUM_FRAMES: Count = 8`` is all that a key needs; ``convert`` turns text from a YAML file or the command line
into the annotated type, or says what it expected.
"""

import math
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``; ``low`` itself is left out if ``above``."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, number: float) -> bool:
        return (self.low < number if self.above else self.low <= number) and number <= self.high

    def asked_of(self, number: float) -> str:
        """Describe the range for a number outside it: "1 or more", "from 0 to 1"."""
        if self.high == 1 and not self.above:
            return f"from {self.low:g} to {self.high:g}"
        if number > self.high:
            return f"at most {self.high:,.0f}"
        return f"above {self.low:g}" if self.above else f"{self.low:g} or more"


# The upper bounds are far beyond anything useful: they stop a config that came inside a foreign checkpoint
# from asking for more memory than there is.
Count = Annotated[int, Range(1, 1_000_000)]
Natural = Annotated[int, Range(0, 2**32 - 1)]
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Fraction = Annotated[float, Range(0, 1)]
PositiveFraction = Annotated[float, Range(0, 1, above=True)]

# One tuple per residual stage res2..res5, in it one entry per pathway, slowest first. In a file a lone entry
# stands for all pathways: [[1], [2], [2], [1]], or shorter [1, 2, 2, 1].
PerStage = tuple[tuple[Count, ...], ...]
BlocksPerStage = tuple[tuple[tuple[Natural, ...], ...], ...]
KernelPerStage = tuple[tuple[tuple[Count, ...], ...], ...]
