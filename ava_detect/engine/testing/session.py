"""A test from its folder to its figures, in steps between which a caller can say what is going on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ava_detect.config import dump_config
from ava_detect.engine.device import pick_precision
from ava_detect.engine.distributed import Process
from ava_detect.engine.in_turn import first_does, first_then_others
from ava_detect.engine.inference import InferenceNetwork
from ava_detect.engine.testing.folder import CONFIG, TestFolder
from ava_detect.engine.testing.journal import Facts, TestJournal, read_batches
from ava_detect.engine.testing.network import load_network
from ava_detect.engine.testing.network_scores import BatchScores
from ava_detect.engine.testing.plan import TestPlan, facts_of
from ava_detect.engine.testing.results import TestResults
from ava_detect.engine.testing.scores import Scores
from ava_detect.engine.testing.tester import Tester, Watch, default_batch_size, default_workers
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError


@dataclass(frozen=True)
class HowToTest:
    """What a user may choose beside the configuration.

    Attributes:
        precision, backend: see ``prepare_for_inference``; "auto" is possible for both.
        batch_size: keyframes per forward pass of each process; None: what the device likes.
        workers: processes that read clips; None: what the device likes.
    """

    precision: str = "auto"
    backend: str = "auto"
    batch_size: int | None = None
    workers: int | None = None


@dataclass
class TestSession:
    """One test in one process; the processes of a test make the same calls in the same order.

    Attributes:
        plan: what is tested. tester: the test set. folder: where the results go. network: what scores.
        precision: of the network. facts: what must stay the same until the test is complete.
        scored: the batches that this process has scored, and those that an interrupted test left.
        todo: the batches that no process had scored when this run began.
    """

    __test__ = False  # not a test of pytest's

    plan: TestPlan
    tester: Tester
    folder: TestFolder
    network: InferenceNetwork
    precision: str
    facts: Facts
    process: Process
    scored: list[BatchScores] = field(default_factory=list)
    todo: Sequence[range] = ()

    @classmethod
    def prepare(
        cls,
        plan: TestPlan,
        folder: Path,
        process: Process,
        how: HowToTest,
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> "TestSession":
        """Read the annotations, load the network, open the folder, find out what is done already.

        Raises:
            UsageError: the folder holds a test, or the interrupted one was another.
            AvaDetectError: data, weights or folder cannot be used.
        """
        place = TestFolder(folder)
        first_does(process, lambda: place.check(resume=resume, overwrite=overwrite))
        batch_size = how.batch_size or default_batch_size(plan.cfg, process.device)
        workers = default_workers(plan.cfg, process.device) if how.workers is None else how.workers
        precision = first_then_others(process, lambda: pick_precision(how.precision, process.device))

        def read() -> Tester:
            return Tester(plan.cfg, batch_size=batch_size, workers=workers, label_map=plan.label_map)

        tester = first_then_others(process, read)

        def load() -> InferenceNetwork:
            clips = len(tester.annotations) * tester.num_views
            return load_network(plan, process.device, precision, how.backend, clips=clips)

        network = first_then_others(process, load)
        facts = facts_of(
            plan,
            tester.annotations,
            precision=precision,
            device=process.device.type,
            batch=batch_size,
        )
        session = cls(plan, tester, place, network, precision, facts, process)
        session._begin(overwrite=overwrite)
        return session

    def _begin(self, *, overwrite: bool) -> None:
        """Open the folder and read what an interrupted test left in it."""
        first_does(self.process, lambda: self.folder.open(overwrite=overwrite))
        annotations, batches = self.tester.annotations, self.tester.batches
        self.scored = first_then_others(
            self.process, lambda: read_batches(self.folder.journal, self.facts, annotations, batches)
        )
        # nobody writes before everybody has read: gather waits for all
        read = self.process.gather([batch.keyframes for batch in self.scored])
        done = {keyframes for part in read for keyframes in part}
        self.todo = [batch for batch in batches if batch not in done]

    @property
    def num_done(self) -> int:
        """Keyframes that were scored before this run."""
        return len(self.tester.annotations) - sum(map(len, self.todo))

    def score(self, watch: Watch, stop: Callable[[], bool]) -> bool:
        """Score what is to do, this process's share of it.

        Args:
            watch: called after every batch with the keyframes done and all, of this process.
            stop: asked after every batch; after a yes nothing more is begun.

        Returns:
            Whether it is complete; if not, it has been stopped, and everything scored is in the journal.

        Raises:
            AvaDetectError: the network's scores are not finite, or the journal cannot be written.
        """
        with TestJournal(self.folder.journal, self.process.rank, self.facts) as journal:
            self.scored += self.tester.score_share(
                self.network, self.process, todo=self.todo, keep=journal.append, watch=watch, stop=stop
            )
        return not stop()

    def conclude(self) -> tuple[TestResults, Scores | None]:
        """Join the processes' scores, write the files, score them, and forget the journal.

        Returns:
            The results, and the figures where there is something to score against.

        Raises:
            AvaDetectError: a file cannot be written, nothing could be read, or the evaluation is not
                possible; the journal stays.
        """
        results = self.tester.join(self.scored, self.process)
        scores = self.tester.conclude(results, self.folder.path, self.process)
        first_does(self.process, self._finish)
        return results, scores

    def _finish(self) -> None:
        path = self.folder.path / CONFIG
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(dump_config(self.plan.cfg), encoding="utf-8")
        except OSError as error:
            raise AvaDetectError(f"{path}: cannot be written ({error.strerror or error})") from None
        self.folder.complete()
