"""Look at things, then at what they are to each other, and report everything that was found."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from ava_detect.data.check import configs
from ava_detect.data.check.against_truth import (
    Comparison,
    best_matching_truth,
    compare_boxes,
    compare_exclusions,
    compare_predictions,
    compare_video_names,
)
from ava_detect.data.check.boxes import look_at_boxes
from ava_detect.data.check.checkpoints import compare_label_map, compare_with_config
from ava_detect.data.check.classes import look_at_classes
from ava_detect.data.check.finding import Finding, Report, Subject
from ava_detect.data.check.frame_lists import compare_frame_list, compare_video_sets
from ava_detect.data.check.frames import look_at_frames
from ava_detect.data.check.group import Group
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.label_maps import look_at_evaluated
from ava_detect.data.check.load import Loader, Options, Thing, Watch, told_kind
from ava_detect.data.check.names import (
    Media,
    compare_names,
    compare_times,
    file_names_as_ids,
    missing_names,
    start_of_media,
    unused_media,
)
from ava_detect.data.check.row_files import RowFile, with_row_texts
from ava_detect.data.check.scores import look_at_scores
from ava_detect.data.check.splits import compare_splits
from ava_detect.data.check.times import look_at_times
from evaluation.ava_names import are_ava_names

_DEFAULT = Options()
_WHOLE_SETS = (Kind.CONFIG, Kind.DATA_SET)


def check_things(
    things: Sequence[str | Thing],
    options: Options = _DEFAULT,
    *,
    watch: Watch = lambda _label, _done, _total: None,
) -> Report:
    """Look at files, folders and configurations, at each by itself and at all together.

    Nothing stops it: what cannot be read is a finding. Several data sets are not compared with each other.

    Args:
        things: paths, names of packaged configurations, or ``Thing``s that say what they are meant to be.
        options: how to look.
        watch: for progress.
    """
    report = Report()
    told: list[tuple[str, Kind]] = []
    for each in dict.fromkeys(things):
        thing = each if isinstance(each, Thing) else Thing(each)
        kind = told_kind(thing)
        if isinstance(kind, Finding):
            report.subjects.append(Subject(thing.path, Kind.UNKNOWN.value))
            report.findings.append(kind)
        else:
            told.append((thing.path, kind))
    for members in _groups(told):
        group = Group()
        loader = Loader(group, report, options, watch)
        for path, kind in sorted(members, key=lambda member: member[1] not in _WHOLE_SETS):
            loader.load(path, kind)
        _check_group(group, report)
    report.sort()
    report.findings = with_row_texts(report.findings)
    return report


def _groups(told: list[tuple[str, Kind]]) -> list[list[tuple[str, Kind]]]:
    """Put everything together, unless several data sets are there: then each by itself, and the rest.

    A configuration and a folder may be the same data set, or a model and its data.
    """
    sets = [member for member in told if member[1] in _WHOLE_SETS]
    if len({kind for _, kind in sets}) == len(sets):
        return [told] if told else []
    rest = [member for member in told if member not in sets]
    return [[member] for member in sets] + ([rest] if rest else [])


def _check_group(group: Group, report: Report) -> None:
    """Run every check for which there is something in the group."""
    for check in (_rows, _splits, _exclusions, _media, _frames, _frame_lists, _settings, _checkpoints):
        report.findings += check(group)
    for file, comparison in _against_truth(group):
        report.findings += comparison.findings
        _add_summary(report, file.source, comparison.summary)


def _add_summary(report: Report, source: str, text: str) -> None:
    """Append what a comparison measured to the line of its subject."""
    for place, subject in enumerate(report.subjects):
        if subject.path == source and text:
            summary = f"{subject.summary}; {text}" if subject.summary else text
            report.subjects[place] = Subject(subject.path, subject.kind, summary)


def _rows(group: Group) -> Iterator[Finding]:
    videos = group.all_videos()
    pictures = {name: (facts.info.width, facts.info.height) for name, facts in videos.items()}
    for file in group.rows:
        yield from look_at_times(file, valid=group.valid)
        if file.kind is not Kind.EXCLUSIONS:
            yield from look_at_boxes(file, pictures=pictures)
            yield from look_at_classes(file, group.label_map)
        if file.kind in (Kind.PREDICTIONS, Kind.BOXES):
            yield from look_at_scores(file, group.label_map)


def _splits(group: Group) -> Iterator[Finding]:
    order = {"train": 0, "val": 1, "test": 2}
    files = [file for file in group.of(Kind.TRUTH) if file.split and len(file.table)]
    files.sort(key=lambda file: order[file.split])
    for first, second in combinations(files, 2):
        if first.split != second.split:
            yield from compare_splits(first, second, group.label_map)


def _truth_for(file: RowFile, group: Group) -> RowFile | None:
    """Return the annotations that a file belongs to: of its split, or with the most common keyframes."""
    truths = [truth for truth in group.of(Kind.TRUTH) if len(truth.table)]
    same = [truth for truth in truths if file.split and truth.split == file.split]
    return best_matching_truth(file, same or truths) if truths and len(file.table) else None


def _exclusions(group: Group) -> Iterator[Finding]:
    for file in group.of(Kind.EXCLUSIONS):
        truths = [truth for truth in group.of(Kind.TRUTH) if len(truth.table)]
        same = [truth for truth in truths if file.split and truth.split == file.split]
        sharing = [truth for truth in truths if set(truth.table.video_names) & set(file.table.video_names)]
        for truth in (sharing or same or truths)[:1]:
            yield from compare_exclusions(file, truth)


def _against_truth(group: Group) -> Iterator[tuple[RowFile, Comparison]]:
    for file in group.of(Kind.BOXES, Kind.PREDICTIONS):
        truth = _truth_for(file, group)
        if truth is None:
            continue
        excluded = next((e for e in group.of(Kind.EXCLUSIONS) if _share_videos(e, truth)), None)
        if file.source in group.training_boxes:
            yield file, Comparison(list(compare_video_names(file, truth)))
        elif file.kind is Kind.BOXES:
            yield (
                file,
                compare_boxes(file, truth, group.label_map, exclusions=excluded, threshold=group.threshold),
            )
        else:
            yield file, compare_predictions(file, truth, group.label_map, exclusions=excluded)


def _share_videos(first: RowFile, second: RowFile) -> bool:
    return bool(set(first.table.video_names) & set(second.table.video_names))


def _media(group: Group) -> Iterator[Finding]:
    files = [file for kind in (Kind.TRUTH, Kind.PREDICTIONS, Kind.BOXES) for file in group.of(kind)]
    media = group.media()
    if not media:
        for file in files:
            yield from file_names_as_ids(file)
    for source in media:
        known: set[str] = set()
        for file in files:
            yield from compare_names(file, source, known=known)
            known |= missing_names(file, source)
            yield from compare_times(file, source, _start(group, file, source))
        if files:
            yield from unused_media(files, source)
    if group.has_data and group.cfg is None and not media:
        message = "neither videos/ nor frames/ in it: where are the videos?"
        yield Finding("no-media", group.data_source, message)


def _start(group: Group, file: RowFile, media: Media) -> float:
    return group.start_second if group.start_second is not None else start_of_media(file, media)


def _frames(group: Group) -> Iterator[Finding]:
    names = [name for file in group.of(Kind.TRUTH, Kind.BOXES) for name in file.table.video_names]
    for frames in group.frames:
        is_ava = are_ava_names(names or list(frames.folders))
        yield from look_at_frames(frames, videos=group.all_videos(), is_ava=is_ava)


def _frame_lists(group: Group) -> Iterator[Finding]:
    for listed in group.frame_lists:
        for frames in group.frames:
            yield from compare_frame_list(listed, frames.source)
        for file in group.of(Kind.TRUTH, Kind.BOXES):
            if not listed.split or file.split in ("", listed.split):
                yield from compare_video_sets(listed, file)
                media = listed.media()
                yield from compare_times(file, media, _start(group, file, media))


def _settings(group: Group) -> Iterator[Finding]:
    label_map = group.label_map
    if label_map is None:
        if group.has_data:
            message = "no label map; class ids are only checked to count from 1"
            yield Finding("no-label-map", group.data_source, message, hint="Give one: --labels FILE")
        return
    if group.cfg is not None and group.has_data:
        yield from configs.compare_num_classes(group.cfg, group.config_source, label_map)
    if (group.cfg is not None and group.has_data) or group.of(Kind.PREDICTIONS):
        yield from look_at_evaluated(label_map)


def _checkpoints(group: Group) -> Iterator[Finding]:
    for facts in group.checkpoints:
        cfg, source = group.cfg, group.config_source
        if cfg is None:
            cfg, source = facts.config, "the configuration inside it"
        if cfg is not None:
            yield from compare_with_config(facts, cfg, source)
        if group.label_map is not None:
            yield from compare_label_map(facts, group.label_map)
