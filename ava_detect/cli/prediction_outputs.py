"""Where the results of ``ava-detect predict`` go, as its flags say."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.errors import UsageError

if TYPE_CHECKING:
    from ava_detect.output.journal import Journal
    from ava_detect.output.targets import Target


def chosen_targets(args: argparse.Namespace) -> list[Target]:
    """Return what ``--out`` and ``--table`` ask for."""
    from ava_detect.output.targets import out_target, table_target

    targets = [out_target(name) for name in args.out]
    return [*targets, table_target(str(args.table))] if args.table else targets


def chosen_drawings(args: argparse.Namespace, inputs: Sequence[Path]) -> dict[Path, Path]:
    """The annotated video of each input: the file that was named, or one per input in a folder."""
    if args.video is None:
        return {}
    if args.video.suffix.lower() == ".mp4":
        if len(inputs) > 1:
            raise UsageError(
                f"--video {args.video}: {len(inputs)} inputs need a folder", hint="--video overlays/"
            )
        return {inputs[0]: args.video}
    if args.video.suffix:
        raise UsageError(f"--video {args.video}: expected a name that ends in .mp4, or a folder")
    args.video.mkdir(parents=True, exist_ok=True)
    return {path: args.video / f"{path.stem}.mp4" for path in inputs}


def check_outputs(
    args: argparse.Namespace, inputs: Sequence[Path], targets: Sequence[Target], drawings: dict[Path, Path]
) -> Path | None:
    """Make sure that every output may be written; return where the journal goes (None: nothing is kept)."""
    from ava_detect.output.journal import journal_path
    from ava_detect.output.targets import check_places, refuse_existing

    outputs = [target.path for target in targets if target.path] + list(drawings.values())
    check_places(outputs, inputs)
    place = journal_path(outputs[0]) if outputs else None
    resumed = args.resume and place is not None and place.exists()
    if not (args.overwrite or resumed):
        refuse_existing(outputs)
    if args.overwrite and place and not args.resume:
        place.unlink(missing_ok=True)
    return place


@contextmanager
def open_journal(args: argparse.Namespace, place: Path | None) -> Iterator[Journal]:
    """Open the journal at its place, or one that is forgotten; it stays for ``--resume`` unless discarded."""
    from ava_detect.output.journal import Journal

    if place is not None:
        with Journal.resume(place) if args.resume else Journal.create(place) as journal:
            yield journal
        return
    with (
        tempfile.TemporaryDirectory(prefix="ava-detect-") as folder,
        Journal.create(Path(folder, "j")) as journal,
    ):
        yield journal
