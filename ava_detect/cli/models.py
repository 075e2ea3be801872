"""``ava-detect models``: the published weights, what goes with them, and other people's file formats."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ava_detect.cli import console
from evaluation.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from ava_detect.weights.zoo_entry import ZooEntry

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DOES = {
    "actions": "actions of people in boxes (predict)",
    "clips": "classes of whole clips",
    "initial": "starting points for training",
    "persons": "person detectors (predict --detector-weights)",
}

_EXAMPLES = """\
examples
  ava-detect models list ava
  ava-detect models info slowfast-r101-nl-8x8-ava22
  ava-detect models fetch faster-rcnn-r50-fpn-coco
  ava-detect models convert mine.safetensors --to pyslowfast --out mine.pyth
More: docs/weights.md"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Published weights: list them, see what goes with them, fetch and convert them."
    parser.epilog = _EXAMPLES
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|info|fetch|convert")
    _configure_list(actions)
    _configure_info(actions)
    _configure_fetch(actions)
    _configure_convert(actions)


def run(args: argparse.Namespace) -> int:
    """Do what was asked for and print it."""
    return {"list": _list, "info": _info, "fetch": _fetch, "convert": _convert}[args.action](args)


def _add(actions: "Subparsers", name: str, text: str) -> argparse.ArgumentParser:
    """Add an action; the flags of every command (-q, ...) may stand before or after its name."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    console.add_common_flags(common)
    description = f"{text[0].upper()}{text[1:]}."
    return actions.add_parser(name, help=text, description=description, allow_abbrev=False, parents=[common])


def _configure_list(actions: "Subparsers") -> None:
    parser = _add(actions, "list", "names of the published weights, with their published results")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only those whose line holds every word")
    parser.add_argument("--json", action="store_true", help="everything that is known about them, as JSON")


def _configure_info(actions: "Subparsers") -> None:
    parser = _add(actions, "info", "everything that goes with weights")
    parser.add_argument("name", metavar="NAME|FILE", help="a name of models list, or a file")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _configure_fetch(actions: "Subparsers") -> None:
    parser = _add(actions, "fetch", "download weights into the cache and check them")
    parser.add_argument("names", nargs="+", metavar="NAME|URL", help="names of models list, or addresses")
    parser.add_argument("--overwrite", action="store_true", help="download again what is there")
    parser.add_argument("--offline", action="store_true", help="only say where the files are, or should be")
    parser.add_argument("--json", action="store_true", help="names and paths as JSON")


def _configure_convert(actions: "Subparsers") -> None:
    parser = _add(actions, "convert", "rewrite a checkpoint in this project's form or PySlowFast's")
    parser.add_argument("source", metavar="NAME|FILE", help="weights in any form that is read")
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write (.safetensors or .pyth)")
    parser.add_argument(
        "--to", required=True, choices=["pyslowfast", "ava-detect"], help="form of the result"
    )
    parser.add_argument("--cfg", metavar="FILE", help="configuration of weights that do not bring theirs")
    parser.add_argument(
        "--set", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"), help="change a setting of it"
    )
    own = parser.add_argument_group("files of this project (--to ava-detect)")
    own.add_argument("--labels", metavar="FILE", help="label map to put inside")
    size = own.add_mutually_exclusive_group()
    size.add_argument("--half", action="store_true", help="convolutions in 16 bits: half the size")
    size.add_argument(
        "--int8", action="store_true", help="large convolutions in 8 bits: a quarter of the size"
    )
    own.add_argument("--note", default="", metavar="TEXT", help="where the weights come from, to put inside")
    parser.add_argument("--offline", action="store_true", help="never open a connection")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    parser.add_argument("--json", action="store_true", help="what was done, as JSON")


# --- list


def _list(args: argparse.Namespace) -> int:
    from ava_detect.weights.zoo import RECORDS

    words = [word.lower() for word in args.words]
    rows = {entry.name: _row(entry) for entry in RECORDS}
    entries = [
        entry for entry in RECORDS if all(word in " ".join(rows[entry.name]).lower() for word in words)
    ]
    if not entries:
        raise WeightsError(
            f"no published weights have {' and '.join(map(repr, args.words))} in their line.",
            hint="Without words, models list shows all.",
        )
    if args.json:
        print(json.dumps([_as_json(entry) for entry in entries], indent=2))
        return 0
    widths = [max(len(rows[entry.name][column]) for entry in entries) for column in range(4)]
    for kind, does in _DOES.items():
        lines = [_aligned(rows[entry.name], widths) for entry in entries if entry.kind == kind]
        if lines:
            print(f"{does}\n  " + "\n  ".join(lines))
    return 0


def _row(entry: "ZooEntry") -> tuple[str, ...]:
    """The columns of ``models list``: name, publisher, data, result, and whether the file is here."""
    from ava_detect.weights.zoo import is_cached

    return entry.name, entry.publisher, entry.dataset, entry.result, "here" if is_cached(entry) else ""


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    columns = [f"{text:<{width}}" for text, width in zip(row, widths, strict=False)]
    return "  ".join([*columns, row[-1]]).rstrip()


# --- info


def _info(args: argparse.Namespace) -> int:
    from ava_detect.weights.zoo import find_weights

    entry = find_weights(args.name)
    if args.json:
        print(json.dumps(_as_json(entry) | {"network": _network(entry)}, indent=2))
        return 0
    for label, text in _facts(entry):
        if text:
            print(f"{label:<12} {text}")
    return 0


def _facts(entry: "ZooEntry") -> list[tuple[str, str]]:
    """The lines of ``models info``."""
    return [
        ("name", entry.name),
        ("for", _DOES.get(entry.kind, "")),
        ("from", entry.publisher),
        ("trained on", entry.dataset + (f", from {entry.pretrained}" if entry.pretrained else "")),
        ("result", entry.result + (" as published" if entry.result and entry.url else "")),
        ("licence", entry.licence),
        ("note", entry.note),
        ("caveat", entry.caveat),
        ("config", " ".join(map(str, (entry.config, *entry.settings)))),
        *_action_facts(entry),
        *_detector_facts(entry),
        *_file_facts(entry),
        ("address", entry.url),
        ("digest", entry.digest.replace(":", " begins with ")),
        ("file", _file_state(entry)),
    ]


def _action_facts(entry: "ZooEntry") -> list[tuple[str, str]]:
    form = entry.action
    if form is None:
        return []
    labels = entry.load_labels()
    classes = f"{form.num_classes}" + (f" of {labels.source}, ids from {labels.ids[0]}" if labels else "")
    row = "; row 0 of the file is background and is not used" if form.background_row else ""
    roi = f"{form.roi_resolution} x {form.roi_resolution}, {'' if form.aligned else 'not '}aligned"
    network = _network(entry)
    cost = f"{network['parameters']:,} parameters, {network['gmac']} G multiply-adds" if network else ""
    return [
        ("network", f"{cost} at {form.test_size} x {form.test_size}" if cost else ""),
        ("clip", f"{form.num_frames} frames, every {form.sampling_rate} of 30 per second"),
        ("pixels", f"RGB / 255, minus {_short(form.mean)}, divided by {_short(form.std)}"),
        ("test size", f"short side {form.test_size}"),
        ("RoIAlign", roi if form.roi_resolution else ""),
        ("classes", classes + row),
        ("scores", form.output),
    ]


def _short(values: tuple[float, float, float]) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(values)


def _detector_facts(entry: "ZooEntry") -> list[tuple[str, str]]:
    form = entry.persons
    if form is None:
        return []
    return [
        (
            "config",
            "inside" if form.enclosed_config else f"{form.detectron2_config} of Detectron2's model zoo",
        ),
        ("classes", f"{len(form.classes)}; person is index {form.person_class}"),
        ("threshold", f"{form.score_threshold:.2f} (--person-thresh)"),
    ]


def _file_facts(entry: "ZooEntry") -> list[tuple[str, str]]:
    """Say what is in a file that brings no record."""
    if entry.kind != "unknown" or entry.path is None:
        return []
    from ava_detect.weights.load import publisher_of
    from ava_detect.weights.safe_read import read_checkpoint

    checkpoint = read_checkpoint(entry.path)
    numbers = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    return [
        ("from", publisher_of(checkpoint).name),
        ("container", checkpoint.container + (f", under {checkpoint.key}" if checkpoint.key else "")),
        ("tensors", f"{len(checkpoint.tensors):,}, {numbers:,} numbers"),
        ("beside", ", ".join(checkpoint.entries)),
        ("config", "inside" if "cfg" in checkpoint.entries else "none inside; give it with --cfg"),
    ]


def _file_state(entry: "ZooEntry") -> str:
    from ava_detect.weights.cache import recorded_digest
    from ava_detect.weights.zoo import cache_path

    path = cache_path(entry)
    if not path.is_file():
        return f"not here; would be {path}"
    digest = recorded_digest(path)
    return f"{path}, {path.stat().st_size:,} bytes" + (f", SHA-256 {digest}" if digest else "")


def _network(entry: "ZooEntry") -> dict[str, object] | None:
    """Count parameters and multiply-adds, where the configuration is known."""
    if entry.action is None or not (entry.config or entry.enclosed_config):
        return None
    from ava_detect.models import estimate_cost

    size = entry.action.test_size
    cost = estimate_cost(entry.load_config(), height=size, width=size)
    return {"parameters": cost.parameters, "gmac": round(cost.multiply_adds / 1e9, 1), "size": size}


def _as_json(entry: "ZooEntry") -> dict[str, object]:
    from ava_detect.weights.zoo import cache_path, is_cached

    hidden = ("enclosed_config", "enclosed_labels", "path", "action", "persons")
    record: dict[str, object] = {
        field.name: getattr(entry, field.name)
        for field in dataclasses.fields(entry)
        if field.name not in hidden
    }
    for name in ("action", "persons"):
        form = getattr(entry, name)
        record[name] = dataclasses.asdict(form) if form is not None else None
    return record | {"file": str(cache_path(entry)), "cached": is_cached(entry)}


# --- fetch


def _fetch(args: argparse.Namespace) -> int:
    from ava_detect.weights.zoo import fetch_weights, find_weights

    entries = [find_weights(name) for name in args.names]
    paths: dict[str, str] = {}
    for entry in entries:
        with console.DownloadBar(entry.name) as bar:
            path = fetch_weights(entry, offline=args.offline, progress=bar.update, overwrite=args.overwrite)
        paths[entry.name] = str(path)
        if not args.json:
            print(path)
    if args.json:
        print(json.dumps(paths, indent=2))
    return 0


# --- convert


def _convert(args: argparse.Namespace) -> int:
    if Path(args.out).exists() and not args.overwrite:
        raise UsageError(f"{args.out} exists. Use --overwrite, or another name.")
    if args.to != "ava-detect" and (args.half or args.int8 or args.note):
        raise UsageError("--half, --int8 and --note are for --to ava-detect")
    import torch

    from ava_detect.weights.convert import convert

    dtype = torch.int8 if args.int8 else torch.float16 if args.half else torch.float32
    overrides = [word for pair in args.set for word in pair]
    with console.DownloadBar(args.source) as bar:
        done = convert(
            args.source, args.out, args.to,
            cfg=args.cfg, overrides=overrides, labels=args.labels, dtype=dtype, note=args.note,
            offline=args.offline, progress=bar.update,
        )  # fmt: skip
    if args.json:
        account = dataclasses.asdict(done.report) | {"written": str(done.target), "notes": done.notes}
        print(json.dumps(account, indent=2))
        return 0
    print(done.report.summary())
    for note in done.notes:
        print(f"note: {note}")
    print(f"wrote {done.target}")
    return 0
