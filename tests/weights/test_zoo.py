"""The zoo's records agree with the configurations they name; names, files and addresses are told apart."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ava_detect.config import Config
from ava_detect.weights import find_weights, save_weights
from ava_detect.weights.zoo import DEFAULT_ACTIONS, DEFAULT_PERSONS, RECORDS
from ava_detect.weights.zoo_entry import ZooEntry, form_of
from evaluation.errors import WeightsError
from evaluation.label_map import load_label_map

MODELS = [entry for entry in RECORDS if entry.kind in ("actions", "clips")]
INITIAL = [entry for entry in RECORDS if entry.kind == "initial"]
DETECTORS = [entry for entry in RECORDS if entry.kind == "persons"]


def name_of(entry: ZooEntry) -> str:
    return entry.name


@pytest.mark.parametrize("entry", MODELS, ids=name_of)
def test_a_record_and_its_configuration_say_the_same(entry: ZooEntry) -> None:
    assert form_of(entry.load_config()) == entry.action


@pytest.mark.parametrize("entry", INITIAL, ids=name_of)
def test_initial_weights_are_fed_as_the_training_that_they_begin(entry: ZooEntry) -> None:
    form = form_of(entry.load_config())
    assert entry.action is not None
    for aspect in ("num_frames", "sampling_rate", "mean", "std"):
        assert getattr(form, aspect) == getattr(entry.action, aspect)


@pytest.mark.parametrize("entry", [entry for entry in MODELS if entry.kind == "actions"], ids=name_of)
def test_an_action_model_has_a_label_map_of_its_version_with_all_its_classes(entry: ZooEntry) -> None:
    labels = entry.load_labels()
    assert labels is not None
    assert entry.action is not None
    assert len(labels) == entry.action.num_classes
    version = "v2.1" if "v2.1" in entry.load_config().AVA.LABEL_MAP_FILE else "v2.2"
    assert entry.label_map == f"{version}-80"


def test_names_are_kebab_case_and_given_once() -> None:
    names = [entry.name for entry in RECORDS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []


def test_addresses_are_given_once_and_encrypted() -> None:
    urls = [entry.url for entry in RECORDS]
    assert len(set(urls)) == len(urls)
    assert [url for url in urls if not re.fullmatch(r"https://[\w.-]+/[\w./-]+\.(pkl|pyth|pth)", url)] == []


def test_the_published_digest_is_the_one_in_the_files_name() -> None:
    digests = {entry.name: entry.digest for entry in RECORDS}
    assert digests["mma-slowfast-r50-8x8-ava21"] == "sha256:39133ec7"
    assert digests["faster-rcnn-r50-fpn-coco"] == "md5:280758"
    assert digests["slowfast-r101-nl-8x8-ava22"] == ""
    for entry in RECORDS:
        if entry.digest:
            assert re.search(rf"[-_]{entry.digest.partition(':')[2]}\.(pth|pkl)$", entry.url), entry.name


@pytest.mark.parametrize("entry", RECORDS, ids=name_of)
def test_every_record_says_what_a_user_has_to_know(entry: ZooEntry) -> None:
    assert entry.publisher
    assert entry.dataset
    assert entry.licence
    assert entry.result or entry.note
    assert (entry.action is None) == (entry.kind == "persons")


@pytest.mark.parametrize("entry", DETECTORS, ids=name_of)
def test_a_person_detector_knows_which_class_is_a_person(entry: ZooEntry) -> None:
    assert entry.persons is not None
    assert entry.persons.classes[entry.persons.person_class] == "person"
    assert len(entry.persons.classes) == (1 if "keypoint" in entry.name else 80)
    assert 0 < entry.persons.score_threshold < 1


def test_the_defaults_are_in_the_zoo() -> None:
    assert find_weights(DEFAULT_ACTIONS, kind="actions").result == "29.1 mAP"
    assert find_weights(DEFAULT_PERSONS, kind="persons").publisher == "Detectron2"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # published numbers of parameters, in millions
        ("ptv-slow-r50-4x16-k400", 32.45),
        ("ptv-slowfast-r50-8x8-k400", 34.57),
        ("ptv-slowfast-r101-8x8-k400", 62.83),
        ("ptv-slowfast-r101-16x8-k400", 53.77),
        ("ptv-c2d-r50-8x8-k400", 24.33),
        ("ptv-i3d-r50-8x8-k400", 28.04),
        ("ptv-slowfast-r50-8x8-ava22", 33.82),
        ("ptv-slow-r50-8x8-charades", 31.96),
        ("ptv-slowfast-r50-8x8-charades", 34.00),
        ("mma-slow-r101-8x8-k400", 60.36),
        ("mma-slowfast-r101-r50-4x16-k400", 62.4),
    ],
)
def test_the_network_has_as_many_parameters_as_published(name: str, parameters: float) -> None:
    from ava_detect.models import estimate_cost

    cost = estimate_cost(find_weights(name).load_config(), height=224, width=224)
    decimals = len(str(parameters).partition(".")[2])
    assert cost.parameters / 1e6 == pytest.approx(parameters, abs=1.5 * 10**-decimals)


# --- find_weights


def test_an_unknown_name_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        WeightsError,
        match=r"slowfast_r101_nl_8x8: no weights of this name, and no such file\. Did you mean slowfast-r101",
    ):
        find_weights("slowfast_r101_nl_8x8")
    with pytest.raises(WeightsError, match=r"no such file\. Did you mean faster-rcnn-r50-fpn-coco"):
        find_weights("faster_rcnn_r50", kind="persons")
    with pytest.raises(WeightsError, match=r"such file\.$") as caught:
        find_weights("qqqqqq")
    assert "ava-detect models list" in caught.value.hint


def test_a_name_that_is_no_name_is_unknown() -> None:
    with pytest.raises(WeightsError, match="no weights of this name"):
        find_weights("x" * 5000)
    with pytest.raises(WeightsError, match="no weights of this name"):
        find_weights("a\0b")
    with pytest.raises(WeightsError, match="no weights of this name"):
        find_weights("")


@pytest.mark.parametrize("name", ["none.pth", "./slowfast-r50", "folder/x", "none.safetensors"])
def test_what_looks_like_a_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="cannot be opened"):
        find_weights(name)


def test_a_file_of_ours_brings_everything(
    small_model: Callable[..., nn.Module], small_config: Callable[..., Config], tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    save_weights(
        small_model(), path, config=small_config(), label_map=load_label_map("v2.1-80"), source="trained here"
    )
    entry = find_weights(path)
    assert (entry.name, entry.kind, entry.path, entry.note) == (
        "mine.safetensors",
        "actions",
        path,
        "trained here",
    )
    assert entry.load_config() == small_config()
    assert entry.load_config(["DATA.NUM_FRAMES", 16]).DATA.NUM_FRAMES == 16
    assert entry.action == form_of(small_config())
    labels = entry.load_labels()
    assert labels is not None
    assert labels.source == "v2.1-80"
    find_weights(path, kind="actions")
    with pytest.raises(
        WeightsError, match=r"mine\.safetensors scores actions; a person detector is expected"
    ):
        find_weights(path, kind="persons")


def test_a_pyslowfast_file_brings_its_configuration(tmp_path: Path) -> None:
    text = "MODEL: {ARCH: slow, NUM_CLASSES: 5}\nDATA: {NUM_FRAMES: 4, INPUT_CHANNEL_NUM: [3]}\nNUM_GPUS: 8\n"
    torch.save({"model_state": {"a": torch.ones(1)}, "cfg": text}, tmp_path / "x.pyth")
    entry = find_weights(tmp_path / "x.pyth")
    assert entry.kind == "unknown"
    assert entry.load_config().MODEL.NUM_CLASSES == 5
    assert entry.load_labels() is None


def test_another_file_asks_for_its_configuration(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}}, tmp_path / "x.pth")
    with pytest.raises(
        WeightsError, match=r"x\.pth: the configuration that goes with these weights is not known"
    ):
        find_weights(tmp_path / "x.pth").load_config()


def test_an_address_of_the_zoo_is_known_and_another_gets_a_name_of_its_own() -> None:
    known = find_weights(RECORDS[0].url)
    assert known == RECORDS[0]
    first = find_weights("https://example.org/a/model.pth?download=1")
    second = find_weights("https://example.org/b/model.pth")
    assert first.kind == "unknown"
    assert first.file_name.startswith("model-")
    assert first.file_name.endswith(".pth")
    assert first.file_name != second.file_name
    with pytest.raises(WeightsError, match="configuration that goes with these weights is not known"):
        first.load_config()


def test_an_address_cannot_name_a_file_outside_the_cache() -> None:
    entry = find_weights("https://example.org/%2e%2e/..%2f..%2fx y.pth/../../etc/passwd")
    assert re.fullmatch(r"[A-Za-z0-9._-]+", entry.file_name)
    assert not entry.file_name.startswith(".")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            "faster-rcnn-r50-fpn-coco",
            "actions",
            "finds people; an action model for people in boxes is expected",
        ),
        ("slowfast-r50-8x8-k400", "actions", "classifies whole clips; an action model"),
        ("r50-in1k", "persons", "begins a training; a person detector is expected"),
    ],
)
def test_weights_of_another_kind_are_refused(name: str, kind: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        find_weights(name, kind=kind)  # type: ignore[arg-type]
    assert caught.value.hint.startswith("For example: ")


@pytest.mark.parametrize("kind", ["actions", "persons"])
def test_embedded_weights_that_are_not_packaged_say_so(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ava_detect.weights import zoo

    monkeypatch.setattr(zoo.resources, "files", lambda _: tmp_path)
    with pytest.raises(WeightsError, match="embedded: this installation has no embedded weights"):
        find_weights("embedded", kind=kind)  # type: ignore[arg-type]


def test_embedded_weights_are_found_by_kind(
    small_model: Callable[..., nn.Module],
    small_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from ava_detect.weights import zoo

    (tmp_path / "embedded").mkdir()
    save_weights(small_model(), tmp_path / "embedded" / "actions.safetensors", config=small_config())
    save_file({"a": torch.ones(1)}, tmp_path / "embedded" / "persons.safetensors")
    monkeypatch.setattr(zoo.resources, "files", lambda _: tmp_path)
    actions = find_weights("embedded")
    assert (actions.name, actions.kind, actions.load_config()) == ("embedded", "actions", small_config())
    persons = find_weights("embedded", kind="persons")
    assert (persons.kind, persons.path) == ("persons", tmp_path / "embedded" / "persons.safetensors")
    for entry in (actions, persons):
        assert "know drawn figures" in entry.caveat
        assert "nothing of the real world" in entry.caveat


def test_no_published_weights_have_a_caveat() -> None:
    assert [entry.name for entry in RECORDS if entry.caveat] == []


DOCS = Path(__file__).parents[2] / "docs" / "weights.md"


@pytest.mark.parametrize("entry", RECORDS, ids=name_of)
def test_the_documentation_has_every_record_with_its_result(entry: ZooEntry) -> None:
    (row,) = [line for line in DOCS.read_text().splitlines() if line.startswith(f"| `{entry.name}` |")]
    assert entry.config in row
    assert entry.dataset in row
    assert (entry.result or "-") in row
