"""Print parameters and multiply-adds of configs, as the paper counts them; nothing is computed, only counted.

python -m benchmarks.multiply_adds                                  every packaged network
python -m benchmarks.multiply_adds kinetics/ablations               those whose name begins so
python -m benchmarks.multiply_adds ava/slowfast_8x8_r50 my.yaml     names and files
python -m benchmarks.multiply_adds --parts ava/slowfast_8x8_r50     part by part
"""

import argparse
from collections.abc import Sequence

from ava_detect.config import load_config, packaged_names
from ava_detect.models import estimate_cost

NETWORK_FOLDERS = ("ava/", "kinetics/", "charades/", "ssv2/")
SIDES = (224, 256)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", help="names, beginnings of names, or YAML files")
    parser.add_argument("--parts", action="store_true", help="one line per stage, connection and head")
    args = parser.parse_args(argv)
    names = names_of(args.configs)
    if args.parts:
        for name in names:
            print_parts(name)
    else:
        print_table(names)


def names_of(wanted: Sequence[str]) -> list[str]:
    """Return the configs that are meant, in order; a beginning of a name stands for all that begin so."""
    packaged = [name for name in packaged_names() if name.startswith(NETWORK_FOLDERS)]
    if not wanted:
        return packaged
    return [name for each in wanted for name in matching(each, packaged)]


def matching(wanted: str, packaged: Sequence[str]) -> list[str]:
    below = [name for name in packaged if name.startswith(f"{wanted.rstrip('/')}/")]
    return below or [wanted]


def print_table(names: Sequence[str]) -> None:
    """Print a Markdown table: parameters, and multiply-adds of one clip at each side length."""
    print("| config | parameters | " + " | ".join(f"GMAC {side}²" for side in SIDES) + " |")
    print("|---|---:|" + "---:|" * len(SIDES))
    for name in names:
        cfg = load_config(name)
        costs = [estimate_cost(cfg, height=side, width=side) for side in SIDES]
        counts = " | ".join(f"{cost.multiply_adds / 1e9:.2f}" for cost in costs)
        print(f"| {name} | {costs[0].parameters:,} | {counts} |", flush=True)


def print_parts(name: str) -> None:
    """Print a Markdown table of one config's parts at 256 x 256."""
    cost = estimate_cost(load_config(name), height=256, width=256)
    print(f"| {name} | GMAC 256² | share |")
    print("|---|---:|---:|")
    for part, count in sorted(cost.parts.items()):
        print(f"| {part} | {count / 1e9:.3f} | {count / cost.multiply_adds:.1%} |")
    print(f"| all | {cost.multiply_adds / 1e9:.3f} | 100.0% |")


if __name__ == "__main__":
    main()
