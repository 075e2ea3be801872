"""Every finding that there is: how bad it is and what it means, in the order of harm."""

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
    """

    severity: Severity
    text: str


def _fault(text: str) -> Meaning:
    return Meaning(Severity.FAULT, text)


def _note(text: str) -> Meaning:
    return Meaning(Severity.NOTE, text)


CATALOGUE = {
    # Nothing can be read.
    "absent": _fault("there is no such file or folder"),
    "unreadable": _fault("a file or folder cannot be read"),
    "unknown": _fault("a file is none of the kinds that check knows"),
    "config": _fault("a configuration cannot be used: a key, a value, or settings that do not fit together"),
    "named-file-absent": _fault("a file or folder that the configuration names is not there"),
    "no-annotations": _fault("a data set without annotations"),
    "no-media": _fault("a data set without videos and frames"),
    "empty": _fault("a file without rows"),
    "label-map": _fault("a label map in another grammar, without classes, or with doubled or impossible ids"),
    "video-unreadable": _fault("a file that is no video, or a video without one frame that can be decoded"),
    "checkpoint-unreadable": _fault("a file that is no checkpoint, or one that would run code when read"),
    "frame-list-lines": _fault("lines of a frame list that have not its five columns"),
    "proposal-shape": _fault("entries of a pickle of proposals that are no boxes"),
    # Nothing fits anything.
    "names-differ": _fault("video ids and file names differ by a folder, a suffix, spaces or capitals"),
    "destroyed-ids": _fault("video ids that a spreadsheet has replaced by an error"),
    "not-comparable": _fault("two files that name no common keyframe, or no common class"),
    "num-classes": _fault("MODEL.NUM_CLASSES is not what the label map says"),
    "checkpoint-misfit": _fault("a checkpoint has tensors without a place in the model, or lacks some"),
    "checkpoint-nan": _fault("a checkpoint holds values that are not finite"),
    "pixels": _fault("boxes in pixels or per cent; AVA's are divided by width and height"),
    "inverted": _fault("boxes with x1 > x2 or y1 > y2, for example x, y, width, height"),
    "box-layout": _fault("boxes that fit the annotations when read in another layout"),
    "y-before-x": _fault("nearly all boxes are wider than high: y1, x1, y2, x2"),
    "corner": _fault("all boxes lie in the upper left corner: normalised twice"),
    "identical-boxes": _fault("all boxes are the same one"),
    "time-unit": _fault("times that are frames or milliseconds; AVA's are seconds"),
    "outside-valid-seconds": _fault("times outside the range that AVA's protocol or the configuration uses"),
    "behind-end": _fault("times behind the end of their video or frames; clips would repeat the last frame"),
    "before-start": _fault("times before the beginning of their video"),
    "zero-based": _fault("class ids that count from 0, or are negative; AVA's count from 1"),
    "class-outside-map": _fault("class ids that are not in the label map"),
    "no-scores": _fault("predictions or person boxes without a score"),
    "whole-scores": _fault("scores that are whole numbers: person ids, from a file of annotations"),
    "equal-scores": _fault("all scores are the same; there is nothing to rank"),
    "faint-scores": _fault("all scores are almost 0: the sigmoid is missing, or was applied twice"),
    "score-range": _fault("scores outside [0, 1]: logits"),
    "no-box-above-threshold": _fault("the score threshold leaves no person box"),
    "few-boxes": _fault("hardly any annotated person has a box"),
    "recall": _fault("so many annotated persons have no box that the mAP has a low ceiling"),
    "keyframes-without-boxes": _fault("many annotated keyframes have no person box"),
    "keyframes-without-predictions": _fault("many annotated keyframes have no prediction"),
    "most-never-predicted": _fault("most annotated classes are never predicted: those of another data set?"),
    # Some rows or files are wrong.
    "split-overlap": _fault("a video in two splits: results on it say nothing"),
    "video-missing": _fault("videos that rows name and that are not there"),
    "video-sets-differ": _fault("two files that belong together name different videos"),
    "video-damaged": _fault("a video that ends before its end"),
    "video-length": _fault("a video whose frames are not as long as it says"),
    "frame-count": _fault("more or fewer frames than 30 for each second of video"),
    "frames-missing": _fault("frames that are missing in the numbering"),
    "no-frames": _fault("a folder without frames"),
    "frame-broken": _fault("frames that are empty, cut off, or no pictures"),
    "frame-sizes": _fault("frames of one video with different sizes"),
    "frame-names": _fault("frames of one video named in several ways"),
    "listed-frames-missing": _fault("frames that a frame list names and that are not there"),
    "frame-list-order": _fault("a frame list whose frame ids do not count from 0, in order"),
    "same-video-id": _fault("two files that would be one video id"),
    "row-header": _fault("a header; AVA files have none"),
    "row-columns": _fault("rows with another number of columns"),
    "row-number": _fault("rows with a coordinate or score that is no number"),
    "row-nan": _fault("rows with a NaN"),
    "row-class": _fault("rows whose class is empty or no whole number"),
    "row-time": _fault("rows whose time is no number of seconds"),
    "row-video-id": _fault("rows without a video id"),
    "row-text": _fault("rows that are not text, or not CSV"),
    "not-finite": _fault("boxes with an infinite coordinate"),
    "outside": _fault("boxes that reach over the edge of the picture"),
    "negative-times": _fault("times before 0"),
    "flat-truth": _fault("annotated boxes without area; they count and can never be found"),
    "repeated-rows": _fault("rows that are there twice; copies are false positives, or count twice"),
    "excluded-annotated": _fault("excluded keyframes that are annotated: lists of different versions"),
    # To know.
    "low-recall": _note("fewer annotated persons have a box than usual (90 % or more)"),
    "some-without-boxes": _note("some annotated keyframes have no person box"),
    "some-without-predictions": _note("some annotated keyframes have no prediction"),
    "keyframes-without-truth": _note("predictions on keyframes that the annotations do not name"),
    "videos-without-truth": _note("videos without annotations in a file of boxes or predictions"),
    "never-predicted": _note("annotated classes that are never predicted have AP 0"),
    "checkpoint-head": _note("everything fits but the classifier: a checkpoint for other classes"),
    "checkpoint-classes": _note("a classifier with another number of classes than the label map"),
    "untrained-classes": _note("classes in the test annotations and not in the training ones"),
    "untested-classes": _note("classes in the training annotations and not in the test ones"),
    "no-examples": _note("classes of the label map without example"),
    "few-examples": _note("classes with fewer than ten examples"),
    "wide-boxes": _note("most boxes are wider than high; perhaps y1, x1, y2, x2"),
    "slightly-outside": _note("boxes that reach a little over the edge of the picture"),
    "flat-boxes": _note("predicted boxes without area; they are dropped"),
    "specks": _note("boxes of a few pixels"),
    "person-twice": _note("a person id that two boxes of one keyframe have"),
    "in-pause": _note("keyframes in a pause of their video"),
    "regular-steps": _note("times in equal steps of more than ten seconds; perhaps frames"),
    "fractional-times": _note("times that are no whole seconds; two of the three protocols refuse them"),
    "blank-lines": _note("blank lines, at which AVA's own tool stops"),
    "proposal-keys": _note("keys of a pickle of proposals that mmaction2 does not find"),
    "equal-box-scores": _note("all person boxes have the same score; no threshold can choose"),
    "boxes-of-truth": _note("results on annotated boxes, which score higher than on detected ones"),
    "truth-as-boxes": _note("the ground truth again as predicted training boxes, as in PySlowFast's files"),
    "all-80-classes": _note("AVA's mAP would be a mean over 80 classes; published ones are over 60"),
    "exclusions-elsewhere": _note("a list of excluded keyframes for other videos"),
    "default-file-absent": _note("a file of the default configuration is not there"),
    "no-label-map": _note("no label map to check class ids against"),
    "label-map-grammar": _note("a label map that other tools cannot read"),
    "same-class-name": _note("classes with the same name"),
    "test-crop": _note("a test size that published results do not have"),
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
