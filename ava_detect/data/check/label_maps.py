"""Label maps: readable, and readable by other people's tools too."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ava_detect.data.check.finding import Finding, some
from evaluation.errors import DataError
from evaluation.findings import look_at_label_map as look_at_evaluated_classes
from evaluation.label_map import BUILT_IN, LabelMap, load_label_map

_OFFICIAL_NAME = re.compile(r'^ {2}name: *".*"', re.MULTILINE)
_OFFICIAL_ID = re.compile(r"^ {2}(?:id|label_id): *\d+ *$", re.MULTILINE)


def read_label_map(source: str) -> tuple[LabelMap | None, list[Finding]]:
    """Read a label map by its built-in name or from a file.

    Returns:
        The map, ``None`` if it cannot be read, and what is wrong with it.
    """
    try:
        label_map = load_label_map(source)
    except DataError as error:
        message = re.sub(rf"^{re.escape(source)}: ", "", str(error))
        return None, [Finding("label-map", source, message, hint=error.hint)]
    if source in BUILT_IN:
        return label_map, []
    return label_map, [*_same_names(label_map), *_other_grammar(label_map)]


def look_at_evaluated(label_map: LabelMap) -> Iterator[Finding]:
    """Say when AVA's figure would be a mean over all 80 classes; for maps that are used for an evaluation."""
    for found in look_at_evaluated_classes(label_map):
        message = found.message.removeprefix(f"label map {label_map.source}: ")
        yield Finding("all-80-classes", label_map.source, message, found.count, hint=found.hint)


def _same_names(label_map: LabelMap) -> Iterator[Finding]:
    twice = [name for name, count in Counter(label_map.names).items() if count > 1]
    if twice:
        message = f"several classes have the same name: {some([repr(name) for name in twice])}"
        yield Finding("same-class-name", label_map.source, message, len(twice))


def _other_grammar(label_map: LabelMap) -> Iterator[Finding]:
    """AVA's own tool and PySlowFast read label maps by lines and two spaces of indentation."""
    try:
        text = Path(label_map.source).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):  # read a moment ago; if not now, it says nothing about the grammar
        return
    seen = min(len(_OFFICIAL_NAME.findall(text)), len(_OFFICIAL_ID.findall(text)))
    if seen != len(label_map):
        yield Finding(
            "label-map-grammar",
            label_map.source,
            f"read here; AVA's own tool and PySlowFast would find {seen} of its {len(label_map)} classes",
            len(label_map) - seen,
            hint='They want entries of four lines:\nitem {\n  name: "stand"\n  id: 12\n}',
        )
