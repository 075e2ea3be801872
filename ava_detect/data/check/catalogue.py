"""Every finding that there is: how bad it is, what it means and what to do, in the order of harm.

``python -m ava_detect.data.check.catalogue`` prints the table of docs/check.md.
"""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad a finding is; the value is what reports print."""

    FAULT = "FAULT"
    NOTE = "note"


@dataclass(frozen=True)
class Meaning:
    """What a code stands for.

    Attributes:
        severity: a fault makes results wrong or impossible; a note is something to know.
        text: what it means, in a sentence.
        remedy: what to do when a finding has no better hint; may be empty.
    """

    severity: Severity
    text: str
    remedy: str = ""


def _fault(text: str, remedy: str) -> Meaning:
    return Meaning(Severity.FAULT, text, remedy)


def _note(text: str, remedy: str = "") -> Meaning:
    return Meaning(Severity.NOTE, text, remedy)


CATALOGUE = {
    # Nothing can be read.
    "absent": _fault("there is no such file or folder", "check the name"),
    "unreadable": _fault("a file or folder cannot be read", "check its permissions, or get it again"),
    "unknown": _fault(
        "a file is none of the kinds that check knows",
        "say what it is meant to be: `--gt`, `--pred`, `--boxes`, `--labels`, `--cfg`",
    ),
    "config": _fault(
        "a configuration cannot be used: a key, a value, or settings that do not fit together",
        "mend the key that the message names",
    ),
    "named-file-absent": _fault(
        "a file or folder that the configuration names is not there",
        "correct the key that the message names, or put the file there",
    ),
    "no-annotations": _fault(
        "a data set without annotations", "put them into `annotations/train.csv` and `annotations/val.csv`"
    ),
    "no-media": _fault(
        "a data set without videos and frames", "put them into `videos/`, or set `AVA.VIDEO_DIR`"
    ),
    "empty": _fault("a file without rows", "look where it was written"),
    "label-map": _fault(
        "a label map in another grammar, without classes, or with doubled or impossible ids",
        'write entries like `item { name: "stand" id: 12 }`, or use a built-in map: `--labels v2.2`',
    ),
    "video-unreadable": _fault(
        "a file that is no video, or a video without one frame that can be decoded",
        "get the file again, or convert it: `ffmpeg -i OLD -c:v libx264 NEW.mp4`",
    ),
    "checkpoint-unreadable": _fault(
        "a file that is no checkpoint, or one that would run code when read",
        "convert it where it was written: `ava-detect models convert --help`",
    ),
    "frame-list-lines": _fault("lines of a frame list that have not its five columns", "write the list anew"),
    "proposal-shape": _fault("entries of a pickle of proposals that are no boxes", "write the pickle anew"),
    # Nothing fits anything.
    "names-differ": _fault(
        "video ids and file names differ by a folder, a suffix, spaces or capitals",
        "make them equal; the message shows both",
    ),
    "destroyed-ids": _fault(
        "video ids that a spreadsheet has replaced by an error",
        "take the file as it was before the spreadsheet; import ids as text",
    ),
    "not-comparable": _fault(
        "two files that name no common keyframe, or no common class",
        "the message shows the ids and times of both files; they must be equal",
    ),
    "num-classes": _fault(
        "MODEL.NUM_CLASSES is not what the label map says", "set it to the highest class id"
    ),
    "checkpoint-misfit": _fault(
        "a checkpoint has tensors without a place in the model, or lacks some",
        "give the configuration that the weights were trained with",
    ),
    "checkpoint-nan": _fault(
        "a checkpoint holds values that are not finite",
        "take an earlier checkpoint; train with a lower `SOLVER.BASE_LR` or with clipped gradients",
    ),
    "pixels": _fault(
        "boxes in pixels or per cent; AVA's are divided by width and height",
        "divide by width and height of the picture",
    ),
    "inverted": _fault(
        "boxes with x1 > x2 or y1 > y2, for example x, y, width, height", "write left, top, right, bottom"
    ),
    "box-layout": _fault(
        "boxes that fit the annotations when read in another layout", "write left, top, right, bottom"
    ),
    "y-before-x": _fault("nearly all boxes are wider than high: y1, x1, y2, x2", "write x before y"),
    "corner": _fault("all boxes lie in the upper left corner: normalised twice", "divide only once"),
    "identical-boxes": _fault("all boxes are the same one", "look where the boxes were written"),
    "time-unit": _fault("times that are frames or milliseconds; AVA's are seconds", "write seconds"),
    "outside-valid-seconds": _fault(
        "times outside the range that AVA's protocol or the configuration uses",
        "`AVA.VALID_SECONDS auto` for videos of your own",
    ),
    "behind-end": _fault(
        "times behind the end of their video or frames; clips would repeat the last frame",
        "write seconds of the video; for AVA's cuts `AVA.START_SECOND 900`",
    ),
    "before-start": _fault(
        "times before the beginning of their video", "`AVA.START_SECOND 0` for videos that begin at 0"
    ),
    "zero-based": _fault(
        "class ids that count from 0, or are negative; AVA's count from 1", "add 1 to every id"
    ),
    "class-outside-map": _fault(
        "class ids that are not in the label map",
        "give the label map that belongs to the file: `--labels FILE`",
    ),
    "no-scores": _fault("predictions or person boxes without a score", "write the score as 8th column"),
    "whole-scores": _fault(
        "scores that are whole numbers: person ids, from a file of annotations",
        "give predictions, not annotations",
    ),
    "equal-scores": _fault(
        "all scores are the same; there is nothing to rank", "write the scores of the model"
    ),
    "faint-scores": _fault(
        "all scores are almost 0: the sigmoid is missing, or was applied twice", "apply the sigmoid once"
    ),
    "score-range": _fault("scores outside [0, 1]: logits", "apply the sigmoid before writing"),
    "no-box-above-threshold": _fault(
        "the score threshold leaves no person box", "lower `AVA.DETECTION_SCORE_THRESH`"
    ),
    "few-boxes": _fault(
        "hardly any annotated person has a box", "look at the layout of the boxes, and at the times"
    ),
    "recall": _fault(
        "so many annotated persons have no box that the mAP has a low ceiling",
        "make the boxes anew, with a detector that is tuned for people or with a lower threshold",
    ),
    "keyframes-without-boxes": _fault(
        "many annotated keyframes have no person box",
        "lower `AVA.DETECTION_SCORE_THRESH`, or run the detector on these keyframes",
    ),
    "keyframes-without-predictions": _fault(
        "many annotated keyframes have no prediction", "run the model on all annotated keyframes"
    ),
    "most-never-predicted": _fault(
        "most annotated classes are never predicted: those of another data set?",
        "give predictions for the classes of the annotations",
    ),
    # Some rows or files are wrong.
    "split-overlap": _fault(
        "a video in two splits: results on it say nothing", "leave the shared videos out of one split"
    ),
    "video-missing": _fault(
        "videos that rows name and that are not there", "put them there, or leave their rows out"
    ),
    "video-sets-differ": _fault(
        "two files that belong together name different videos", "give files of the same data set and split"
    ),
    "video-damaged": _fault(
        "a video that ends before its end", "get the file again; annotations behind the damage cannot be used"
    ),
    "video-length": _fault(
        "a video whose frames are not as long as it says", "write it anew: `ffmpeg -i OLD -c copy NEW`"
    ),
    "frame-count": _fault(
        "more or fewer frames than 30 for each second of video",
        "extract anew: `ffmpeg -i VIDEO.mp4 -r 30 -q:v 1 FOLDER/VIDEO/VIDEO_%06d.jpg`",
    ),
    "frames-missing": _fault("frames that are missing in the numbering", "extract anew"),
    "no-frames": _fault("a folder without frames", "extract anew"),
    "frame-broken": _fault("frames that are empty, cut off, or no pictures", "extract anew"),
    "frame-sizes": _fault("frames of one video with different sizes", "extract anew, with one size"),
    "frame-names": _fault("frames of one video named in several ways", "extract anew, into an empty folder"),
    "listed-frames-missing": _fault(
        "frames that a frame list names and that are not there", "extract them, or write the list anew"
    ),
    "frame-list-order": _fault(
        "a frame list whose frame ids do not count from 0, in order", "write the list anew, sorted by frame"
    ),
    "same-video-id": _fault("two files that would be one video id", "rename one of the files, and its rows"),
    "row-header": _fault("a header; AVA files have none", "drop the first row"),
    "row-columns": _fault("rows with another number of columns", "write 8 columns, separated by commas"),
    "row-number": _fault("rows with a coordinate or score that is no number", "mend the row"),
    "row-nan": _fault("rows with a NaN", "mend or drop the rows"),
    "row-class": _fault(
        "rows whose class is empty or no whole number",
        "write whole numbers; person boxes alone may leave the class empty",
    ),
    "row-time": _fault("rows whose time is no number of seconds", "write seconds"),
    "row-video-id": _fault("rows without a video id", "write the video's name, without folder and suffix"),
    "row-text": _fault("rows that are not text, or not CSV", "save the file as CSV in UTF-8"),
    "not-finite": _fault("boxes with an infinite coordinate", "drop the rows"),
    "outside": _fault(
        "boxes that reach over the edge of the picture", "cut boxes at the edge of the picture"
    ),
    "negative-times": _fault("times before 0", "drop the rows, or shift all times"),
    "flat-truth": _fault("annotated boxes without area; they count and can never be found", "drop the rows"),
    "repeated-rows": _fault(
        "rows that are there twice; copies are false positives, or count twice", "keep one row of each"
    ),
    "excluded-annotated": _fault(
        "excluded keyframes that are annotated: lists of different versions",
        "take list and annotations of one version",
    ),
    # To know.
    "low-recall": _note(
        "fewer annotated persons have a box than usual (90 % or more)",
        "a detector that is tuned for people reaches it",
    ),
    "some-without-boxes": _note("some annotated keyframes have no person box"),
    "some-without-predictions": _note("some annotated keyframes have no prediction"),
    "keyframes-without-truth": _note("many predictions on keyframes that the annotations do not name"),
    "videos-without-truth": _note("videos without annotations in a file of boxes or predictions"),
    "never-predicted": _note("annotated classes that are never predicted have AP 0"),
    "checkpoint-head": _note(
        "everything fits but the classifier: a checkpoint for other classes",
        "fine for a start on other classes; else give its label map or its configuration",
    ),
    "checkpoint-classes": _note(
        "a classifier with another number of classes than the label map",
        "give the label map that it was trained with",
    ),
    "untrained-classes": _note("classes in the test annotations and not in the training ones"),
    "untested-classes": _note("classes in the training annotations and not in the test ones"),
    "no-examples": _note("classes of the label map without example"),
    "few-examples": _note("classes with fewer than ten examples"),
    "file-names-as-ids": _note(
        "video ids with a folder or a suffix; videos are found by the bare name", "write the bare name"
    ),
    "wide-boxes": _note(
        "most boxes are wider than high; perhaps y1, x1, y2, x2", "if nearly nobody lies: write x before y"
    ),
    "slightly-outside": _note(
        "boxes that reach a little over the edge of the picture", "cut boxes at the edge of the picture"
    ),
    "flat-boxes": _note("predicted boxes without area; they are dropped"),
    "specks": _note("boxes of a few pixels"),
    "person-twice": _note("a person id that two boxes of one keyframe have"),
    "in-pause": _note("keyframes in a pause of their video"),
    "regular-steps": _note(
        "times in equal steps of more than ten seconds; perhaps frames",
        "if they are frames: divide by the frame rate",
    ),
    "fractional-times": _note("times that are no whole seconds; two of the three protocols refuse them"),
    "blank-lines": _note("blank lines, at which AVA's own tool stops", "drop them"),
    "proposal-keys": _note(
        "keys of a pickle of proposals that mmaction2 does not find", "write times with four digits"
    ),
    "equal-box-scores": _note("all person boxes have the same score; no threshold can choose"),
    "boxes-of-truth": _note(
        "results on annotated boxes, which score higher than on detected ones", "say so beside the result"
    ),
    "truth-as-boxes": _note("the ground truth again as predicted training boxes, as in PySlowFast's files"),
    "all-80-classes": _note(
        "AVA's mAP would be a mean over 80 classes; published ones are over 60",
        "for the published figure `--labels v2.2`",
    ),
    "exclusions-elsewhere": _note("a list of excluded keyframes for other videos"),
    "default-file-absent": _note(
        "a file of the default configuration is not there", "set the key, or put the file there"
    ),
    "no-label-map": _note("no label map to check class ids against", "`--labels FILE`"),
    "label-map-grammar": _note("a label map that other tools cannot read", "write four lines for each class"),
    "same-class-name": _note("classes with the same name"),
    "test-crop": _note("a test size that published results do not have", "`DATA.TEST_CROP_SIZE 256`"),
    "without-rows": _note("videos without annotations"),
    "variable-rate": _note("a variable frame rate: fine, sampling is by time"),
    "video-rate": _note("a frame rate that is not the stated one: fine, sampling is by time"),
    "video-pause": _note("a video with a pause of a second or more between two frames"),
    "odd-timestamps": _note("timestamps that are missing, or a beginning that cannot be decoded"),
    "rotated": _note("a video that is recorded turned; boxes refer to the upright picture"),
    "small-picture": _note("pictures smaller than the published models were trained with"),
    "frames-from-zero": _note("frame numbers that begin with 0 instead of 1"),
}
"""Code of a finding -> what it means."""


def table() -> str:
    """Return the catalogue as a Markdown table."""
    lines = ["| | code | it found | what to do |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {meaning.severity.value} | `{code}` | {meaning.text} | {meaning.remedy} |"
        for code, meaning in CATALOGUE.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
