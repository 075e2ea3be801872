"""A test set, ready to be scored by networks, in one process or in several."""

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ava_detect.config import Config
from ava_detect.config import replace as with_settings
from ava_detect.data.build import (
    build_exclusions,
    build_label_map,
    build_loader,
    build_test_set,
    groundtruth_file,
)
from ava_detect.data.clip_dataset import Batch, ClipDataset
from ava_detect.engine.distributed import Process
from ava_detect.engine.in_turn import first_does
from ava_detect.engine.prefetch import prefetch
from ava_detect.engine.testing.batches import ViewedBatches, cut_batches, share_of
from ava_detect.engine.testing.network_scores import BatchScores, ScoreActions, score_batches
from ava_detect.engine.testing.results import TestResults, joined_results
from ava_detect.engine.testing.scores import Scores, Truth, score_results
from ava_detect.engine.testing.views import show
from evaluation.errors import AvaDetectError, DataError
from evaluation.label_map import LabelMap
from evaluation.row_table import RowTable
from evaluation.rows import read_groundtruth

Watch = Callable[[int, int], None]
"""(keyframes done, keyframes in all) of this process."""

_AHEAD = 2  # batches that are decoded while the network works
_log = logging.getLogger(__name__)


class Tester:
    """A test set with what it is scored against.

    Args:
        cfg: says where the data are, which boxes are tested, and in which views.
        batch_size: keyframes per forward pass, at most.
        workers: processes that read clips; 0: a thread of this one.
        label_map: the classes that count; None for ``AVA.LABEL_MAP_FILE``.
        in_part: test every fourth second only, as while training.

    Attributes:
        annotations: the keyframes and their boxes.
        batches: places in the annotations, the same in every process.
        truth: None where ``AVA.GROUNDTRUTH_FILE`` is empty.

    Raises:
        ConfigError: the configuration says not where the data are.
        DataError: a file cannot be used, or nothing is left to test.
    """

    __test__ = False  # not a test of pytest's

    def __init__(
        self,
        cfg: Config,
        *,
        batch_size: int,
        workers: int = 0,
        label_map: LabelMap | None = None,
        in_part: bool = False,
    ) -> None:
        self._cfg = with_settings(cfg, ["DATA_LOADER.NUM_WORKERS", workers])
        self.truth = _truth(cfg, label_map)
        dataset = build_test_set(cfg, label_map=label_map)
        if in_part:
            dataset, self.truth = _part(dataset, self.truth)
        self.annotations = dataset.annotations
        self.batches = cut_batches(self.annotations, batch_size)
        self._viewed = show(dataset, cfg)

    @property
    def num_views(self) -> int:
        """How many views of each keyframe are averaged."""
        return self._viewed.num_views

    def score_share(
        self,
        network: ScoreActions,
        process: Process,
        *,
        todo: Sequence[range] | None = None,
        keep: Callable[[BatchScores], None] = lambda _: None,
        watch: Watch = lambda _done, _total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[BatchScores]:
        """Score the batches that fall to this process.

        Args:
            network: with its weights, on the process's device.
            process: which of how many this is.
            todo: the batches that are to be divided among the processes; None: all.
            keep: called with every batch's scores as soon as they are there.
            watch: called after every batch.
            stop: asked after every batch; after a yes nothing more is begun.
        """
        batches = share_of(self.batches if todo is None else todo, rank=process.rank, world=process.world)
        total, done = sum(map(len, batches)), 0
        scored = []
        with closing(self._clips(batches)) as clips:
            for batch in score_batches(batches, clips, self.num_views, network, self._cfg, process.device):
                keep(batch)
                scored.append(batch)
                done += len(batch.keyframes)
                watch(done, total)
                if stop():
                    break
        return scored

    def join(self, mine: Iterable[BatchScores], process: Process) -> TestResults:
        """Put the scores of all processes together, in every process."""
        return joined_results(
            self.annotations, (each for part in process.gather(list(mine)) for each in part)
        )

    def conclude(self, results: TestResults, folder: Path, process: Process) -> Scores | None:
        """Write the results into a folder and score them; None where there is nothing to score against.

        The first process makes the folder and does it; every process has the scores, or the error.

        Raises:
            AvaDetectError: a file cannot be written, or the evaluation is not possible.
        """
        return first_does(process, lambda: self._conclude(results, folder))

    def _conclude(self, results: TestResults, folder: Path) -> Scores | None:
        if not results.scores:
            count = len(results.unread)
            raise DataError(f"none of the {count:,} keyframes can be read; {results.unread[0]}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            results.write(folder)
            return self._scores(results, folder)
        except OSError as error:
            raise AvaDetectError(f"{folder}: cannot be written ({error.strerror or error})") from None

    def _scores(self, results: TestResults, folder: Path) -> Scores | None:
        if self.truth is None:
            return None
        ava = self._cfg.AVA
        detected = "" if ava.TEST_GT_BOXES else ", ".join(ava.TEST_PREDICT_BOX_LISTS)
        return score_results(results, self.truth, folder, boxes_named=detected)

    def _clips(self, batches: Sequence[range]) -> Generator[Batch, None, None]:
        """Read the clips of the batches, ahead of the network."""
        loader = build_loader(self._viewed, ViewedBatches(batches, self.num_views), self._cfg)
        return prefetch(loader, depth=_AHEAD)


def default_batch_size(cfg: Config, device: torch.device) -> int:
    """Return the keyframes per forward pass: one on a CPU, where more are no faster and take memory."""
    return 1 if device.type == "cpu" else cfg.TEST.BATCH_SIZE


def default_workers(cfg: Config, device: torch.device) -> int:
    """Return the processes that read clips: none for a CPU, whose cores have other work; a thread does it."""
    return 0 if device.type == "cpu" else cfg.DATA_LOADER.NUM_WORKERS


def _truth(cfg: Config, label_map: LabelMap | None) -> Truth | None:
    path = groundtruth_file(cfg)
    if path is None:
        return None
    return Truth(read_groundtruth(path), label_map or build_label_map(cfg), build_exclusions(cfg))


def _part(dataset: ClipDataset, truth: Truth | None) -> tuple[ClipDataset, Truth | None]:
    """Return every fourth second of a test set; all of it where that would leave nothing to find."""
    chosen = _in_part(dataset.annotations.seconds)
    if not chosen.any() or (truth is not None and not _in_part(truth.table.times).any()):
        _log.info("no keyframe lies on every fourth second; all %d are tested", len(dataset))
        return dataset, truth
    part = dataset.restricted_to(chosen)
    return part, None if truth is None else replace(truth, table=_table_part(truth.table))


def _in_part(seconds: np.ndarray) -> np.ndarray:
    return np.floor(seconds) % 4 == 0


def _table_part(table: RowTable) -> RowTable:
    bare = _in_part(table.bare_times)
    columns = {name: getattr(table, name)[bare] for name in ("bare_videos", "bare_times", "bare_lines")}
    return replace(table.select(_in_part(table.times)), **columns)
