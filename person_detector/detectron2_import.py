"""Import Detectron2 when a detector is built: with a clear error where it is missing, without its noise."""

import importlib.util
import warnings

from evaluation.errors import MissingDependencyError

_INSTALL = (
    "python -m person_detector.install     (downloads, no compiler; an own build works too)\n"
    "or give boxes of your own (ava-detect predict --boxes FILE). More: ava-detect doctor"
)


def require_detectron2() -> None:
    """Import Detectron2's modelling code, so that later imports of it cannot fail and print nothing.

    fvcore compiles its losses with ``torch.jit.script`` on import, of which torch warns; that is nothing a
    user of a detector can change.

    Raises:
        MissingDependencyError: Detectron2 is not installed, or what is installed cannot be imported.
    """
    if importlib.util.find_spec("detectron2") is None:
        raise MissingDependencyError("detectron2 is not installed; it finds the people.", hint=_INSTALL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.script.*")
            import detectron2.modeling  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"detectron2 is installed and cannot be imported: {error}",
            hint="python -m person_detector.install --force     (replaces it; needs no compiler)",
        ) from error
