"""AVA frame-mAP and the other metrics of the project; needs numpy and pandas only, and nothing of ours."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation.frame_map import EvaluationResult, evaluate_ava

__all__ = ["EvaluationResult", "evaluate_ava"]


def __getattr__(name: str) -> Any:  # a module attribute can be anything
    """Import the evaluator when it is first asked for, so that error classes and label maps cost nothing."""
    if name in __all__:
        from evaluation import frame_map

        return getattr(frame_map, name)
    raise AttributeError(f"module 'evaluation' has no attribute {name!r}")
