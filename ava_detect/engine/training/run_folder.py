"""The folder of a run: what it was started with, its log, its figures, its checkpoints, its models.

::

    runs/2026-03-14_slowfast_8x8_r50/
      config.yaml  config_diff.yaml  command.txt  environment.txt
      log.txt  metrics.jsonl  summary.csv  tb/
      checkpoints/step_00001200.ckpt ...
      eval/epoch_010/...
      model_best.safetensors  model_final.safetensors
"""

import datetime
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ava_detect.config import Config, dump_config
from ava_detect.config.difference import changes_from_defaults
from ava_detect.config.dump import format_value
from ava_detect.engine.doctor import diagnose
from evaluation.atomic import atomic_path
from evaluation.errors import AvaDetectError, UsageError

_GIT_PATIENCE_S = 10


@dataclass(frozen=True)
class RunFolder:
    """Names inside a run's folder."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """One JSON object per logged step, epoch and evaluation."""
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """A row per epoch."""
        return self.path / "summary.csv"

    def log(self, rank: int) -> Path:
        """Return the log of a process."""
        return self.path / ("log.txt" if rank == 0 else f"log.rank{rank}.txt")

    def evaluation(self, epoch: int) -> Path:
        """Return the folder of the evaluation after so many epochs."""
        return self.path / "eval" / f"epoch_{epoch:03d}"

    def crash_batch(self, rank: int) -> Path:
        """Return where a process leaves the batch whose loss is not finite."""
        return self.path / ("crash_batch.pt" if rank == 0 else f"crash_batch.rank{rank}.pt")

    @property
    def best_model(self) -> Path:
        """Weights with the highest mAP so far."""
        return self.path / "model_best.safetensors"

    @property
    def final_model(self) -> Path:
        """Weights at the end: the averaged ones where SOLVER.EMA_DECAY is set."""
        return self.path / "model_final.safetensors"

    @property
    def final_plain_model(self) -> Path:
        """Weights at the end that were not averaged, where ``final_model`` holds averaged ones."""
        return self.path / "model_final_plain.safetensors"


def new_run_name(cfg_name: str) -> str:
    """Name a run after today and its configuration."""
    return f"{datetime.date.today().isoformat()}_{_stem(cfg_name)}"


def latest_run_name(output_dir: Path, cfg_name: str) -> str | None:
    """Return the run of this configuration that was worked on last, by its checkpoints; None without one."""
    pattern = re.compile(rf"\d{{4}}-\d\d-\d\d_{re.escape(_stem(cfg_name))}")
    if not output_dir.is_dir():
        return None
    runs = [folder for folder in output_dir.iterdir() if pattern.fullmatch(folder.name)]
    return max(runs, key=_last_touched).name if runs else None


def _last_touched(folder: Path) -> float:
    checkpoints = folder / "checkpoints"
    return (checkpoints if checkpoints.is_dir() else folder).stat().st_mtime


def _stem(cfg_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", Path(cfg_name).stem) or "run"


def check_run_name(name: str) -> None:
    """Refuse a name that is no name of a folder.

    Raises:
        UsageError: it is empty, or leads elsewhere.
    """
    if not name or name in (".", "..") or Path(name).name != name or not name.isprintable():
        raise UsageError(f"--run-name {name!r}: expected the name of a folder inside OUTPUT_DIR")


def check_new(path: Path) -> None:
    """Refuse to begin a run where something is already.

    Raises:
        UsageError: something is.
    """
    if path.exists():
        raise UsageError(
            f"{path}: is there already",
            hint="--resume goes on with it; --run-name NAME begins another.",
        )


def make_run_folder(path: Path) -> None:
    """Make the folder of a new run.

    Raises:
        UsageError: it is there already.
        AvaDetectError: it cannot be made.
    """
    check_new(path)
    try:
        path.mkdir(parents=True)
    except OSError as error:  # also where two commands begin at once
        raise AvaDetectError(f"{path}: cannot be made ({error.strerror or error})") from error


def record_start(folder: RunFolder, cfg: Config, argv: Sequence[str], *, resumed: bool) -> None:
    """Write down configuration, command and environment; a resumed run adds its command to the first."""
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    mode = "a" if resumed else "w"
    with (folder.path / "command.txt").open(mode, encoding="utf-8") as file:
        file.write(f"# {started}, {_source_state()}\n{shlex.join(argv)}\n")
    _write(folder.path / "config.yaml", dump_config(cfg))
    _write(folder.path / "config_diff.yaml", differences_as_yaml(cfg))
    _write(folder.path / "environment.txt", _environment())


def differences_as_yaml(cfg: Config) -> str:
    """Return what differs from the defaults as YAML that loads."""
    lines: list[str] = []
    section = ""
    changes = changes_from_defaults(cfg)
    for change in sorted(changes, key=lambda each: "." in each.key):  # those without a section come first
        head, _, name = change.key.rpartition(".")
        if head and head != section:
            lines.append(f"{head}:")
            section = head
        lines.append(f"{'  ' if head else ''}{name}: {format_value(change.after)}  # {change.origin}")
    return "".join(f"{line}\n" for line in lines)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _environment() -> str:
    lines = [
        f"{finding.subject:<42} {finding.state:<8} {finding.detail}".rstrip()
        for finding in diagnose(small_run=False)
    ]
    chosen = [f"{name}={os.environ[name]}" for name in sorted(os.environ) if name in _TELLING]
    return "\n".join([*lines, *chosen, ""])


_TELLING = {
    "CUDA_VISIBLE_DEVICES", "LOCAL_WORLD_SIZE", "NCCL_DEBUG", "OMP_NUM_THREADS", "WORLD_SIZE"
}  # fmt: skip


def _source_state() -> str:
    """Name the commit of this source tree and whether it was changed; an installed copy has none."""
    from ava_detect import __version__

    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return f"ava-detect {__version__}"
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return f"ava-detect {__version__}"
    return f"ava-detect {__version__}, commit {commit}{' with changes' if changed else ''}"


def _git(root: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=_GIT_PATIENCE_S
    )
    return result.stdout.strip()


def command_line() -> list[str]:
    """Return the words that started this process, as one would type them."""
    words = list(sys.argv)
    if words and Path(words[0]).name == "__main__.py":
        return ["python", "-m", "ava_detect", *words[1:]]
    return [Path(words[0]).name, *words[1:]] if words else []
