"""Helpers for the evaluator's tests: files from rows, and the fixture with the public evaluators' results."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes rows (lists of texts, or whole lines) to a named file."""

    def write(name: str, rows: list[list[str]] | list[str]) -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else ",".join(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Unpack the fixture's ground truth, detections and exclusions."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("gt", "det"):
        (folder / f"{name}.csv").write_bytes(gzip.decompress((FIXTURES / f"{name}.csv.gz").read_bytes()))
    return {"gt": folder / "gt.csv", "det": folder / "det.csv", "excluded": FIXTURES / "excluded.csv"}


@pytest.fixture(scope="session")
def expected() -> dict[str, dict]:
    """What the public evaluators gave for the fixture."""
    return json.loads((FIXTURES / "expected.json").read_text())["results"]
