"""Labels of the usual tools as they stand in their files: CVAT, VIA, COCO, tables; files that are none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.data.convert.actions import ActionRules, split_names
from ava_detect.data.convert.image_names import ImageNames
from ava_detect.data.convert.labels import LabelledBox, Labels, Track, TrackStep
from ava_detect.data.convert.read import read_labels
from ava_detect.data.convert.spreadsheet import BoxUnit
from evaluation.errors import DataError

CVAT_VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>gym</name><size>50</size><mode>interpolation</mode>
      <labels><label><name>person</name></label></labels>
      <original_size><width>160</width><height>96</height></original_size>
      <source>gym one.mp4</source>
    </task>
    <dumped>2026-01-01</dumped>
  </meta>
  <track id="3" label="person" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="10" ytl="20" xbr="50" ybr="60" z_order="0">
      <attribute name="action">wave</attribute><attribute name="sits">false</attribute>
      <attribute name="age">31</attribute>
    </box>
    <box frame="10" outside="0" occluded="0" keyframe="1" xtl="20" ytl="20" xbr="60" ybr="60" z_order="0">
      <attribute name="action">none</attribute><attribute name="sits">true</attribute>
    </box>
    <box frame="20" outside="1" occluded="0" keyframe="1" xtl="20" ytl="20" xbr="60" ybr="60" z_order="0"/>
  </track>
  <track id="4" label="ball"><polygon frame="0" points="1,2;3,4;5,6"/></track>
</annotations>
"""
CVAT_IMAGES = """<annotations>
  <meta><task><id>1</id><name>pictures</name></task></meta>
  <image id="0" name="gym/frame_000012.jpg" width="160" height="96">
    <box label="wave" occluded="0" xtl="10" ytl="20" xbr="50" ybr="60"></box>
    <polyline label="wave" points="1,2;3,4"/>
    <tag label="good"/>
  </image>
  <image id="1" name="gym/frame_000013.jpg" width="160" height="96"></image>
</annotations>
"""
VIA3_ATTRIBUTES = {
    "1": {"aname": "action", "type": 4, "options": {"0": "wave", "1": "sit"}},
    "2": {"aname": "also", "type": 2, "options": {"a": "talk", "b": "eat"}},
    "3": {"aname": "note", "type": 1, "options": {}},
}
VIA3_CSV = f"""# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# SHAPE_ID = {{"POINT":1,"RECTANGLE":2}}
# ATTRIBUTE = {json.dumps(VIA3_ATTRIBUTES)}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"1_a","[""gym.mp4""]",0,"[4.633]","[2,10,20,50,80]","{{""1"":""0"",""2"":""a,b""}}"
"1_b","[""gym.mp4""]",0,"[1.5,2.5]","[]","{{""1"":""1""}}"
"1_c","[""gym.mp4""]",0,"[5]","[7,1,2,3,4,5,6]","{{}}"
"1_d","[""gym.mp4""]",0,"[5]","[8,10,50,30,20,60,40,30,90]","{{""3"":""jump""}}"
"""
VIA3_JSON = {
    "project": {"vid_list": ["1"]},
    "file": {"1": {"fid": "1", "fname": "gym.mp4"}},
    "view": {"1": {"fid_list": ["1"]}},
    "attribute": VIA3_ATTRIBUTES,
    "metadata": {"1_a": {"vid": "1", "flg": 0, "z": [4.633], "xy": [2, 10, 20, 50, 80], "av": {"1": "0"}}},
}
VIA2_CSV = """filename,file_size,file_attributes,region_count,region_id,\
region_shape_attributes,region_attributes
gym_000012.jpg,100,"{}",2,0,"{""name"":""rect"",""x"":10,""y"":20,""width"":40,""height"":40}",\
"{""action"":""wave""}"
gym_000012.jpg,100,"{}",2,1,"{""name"":""circle"",""cx"":10,""cy"":20,""r"":4}","{}"
gym_000013.jpg,100,"{}",0,0,"{}","{}"
"""
VIA2_JSON = {
    "gym_000012.jpg100": {
        "filename": "gym_000012.jpg",
        "regions": [
            {
                "shape_attributes": {"name": "rect", "x": 10, "y": 20, "width": 40, "height": 40},
                "region_attributes": {"does": {"wave": True, "sit": False, "eat": True}},
            }
        ],
    }
}
COCO = {
    "images": [{"id": 5, "file_name": "gym/000012.jpg", "width": 160, "height": 96}],
    "categories": [{"id": 1, "name": "wave"}],
    "annotations": [{"id": 9, "image_id": 5, "category_id": 1, "bbox": [10, 20, 40, 40], "track_id": 2}],
}
TABLE = """Video,Time,X1,Y1,X2,Y2,Action,Person ID
gym.mp4,1.5,10,20,50,60,wave; sit,anna
gym.mp4,0:02,11,20,50,60,sit,
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Labels]:
    """Write a text or a JSON document to a file and read it."""

    def write_and_read(content: object, **options: object) -> Labels:
        path = tmp_path / "labels"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return read_labels(path, **options)

    return write_and_read


Read = Callable[..., Labels]


def _only(labels: Labels) -> LabelledBox:
    (box,) = labels.boxes
    return box


def test_cvat_tracks_have_boxes_pauses_and_actions(read: Read):
    labels = read(CVAT_VIDEO)
    (track,) = labels.tracks
    assert (labels.form, track.video, track.size, track.person) == (
        "CVAT for video 1.1", "gym one.mp4", (160, 96), "3",
    )  # fmt: skip
    assert track.steps == (
        TrackStep(0, (10, 20, 50, 60), ("wave",)),
        TrackStep(10, (20, 20, 60, 60), ("sits",)),
        TrackStep(20, None, ()),
    )
    assert track.place.endswith("labels:13")
    assert labels.notes == [
        "attribute 'age' holds numbers (1 times) and is not taken for an action",
        "left out 1 shapes that are no boxes",
    ]


def test_between_two_steps_a_track_moves_evenly():
    steps = (
        TrackStep(2, (0, 0, 10, 10), ("a",)),
        TrackStep(6, (4, 8, 14, 18), ("b",)),
        TrackStep(9, None, ()),
    )
    track = Track("v", "1", steps, "here")
    assert track.at(1) is None
    assert track.at(2) == steps[0]
    assert track.at(3) == TrackStep(3, (1, 2, 11, 12), ("a",))
    assert track.at(8) == TrackStep(8, (4, 8, 14, 18), ("b",))
    assert track.at(9) is None
    assert track.at(30) is None


def test_only_chosen_attributes_tell_actions(read: Read):
    (track,) = read(CVAT_VIDEO, rules=ActionRules(frozenset({"sits"}))).tracks
    assert [step.actions for step in track.steps] == [(), ("sits",), ()]


def test_cvat_pictures_tell_video_and_frame_by_their_names(read: Read):
    labels = read(CVAT_IMAGES)
    box = _only(labels)
    assert (box.video, box.moment, box.box, box.size) == ("gym", 12, (10, 20, 50, 60), (160, 96))
    assert box.actions == ("wave",)
    assert labels.notes == ["left out 1 shapes that are no boxes"]


def test_cvat_pictures_of_a_video_are_numbered_by_their_ids(read: Read):
    text = CVAT_IMAGES.replace("<name>pictures</name>", "<name>p</name><source>gym.mp4</source>")
    box = _only(read(text.replace('id="0" name="gym/frame_000012.jpg"', 'id="33" name="frame_000033"')))
    assert (box.video, box.moment) == ("gym.mp4", 33)


def test_a_cvat_project_says_which_video_a_track_is_of(read: Read):
    tasks = "".join(
        f"<task><id>{number}</id><name>{name}</name><source>{name}.mp4</source></task>"
        for number, name in ((1, "one"), (2, "two"))
    )
    box = '<box frame="0" outside="0" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    track = f'<track id="0" label="wave" task_id="2">{box}</track>'
    start = f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>"
    (found,) = read(f"{start}{track}</annotations>").tracks
    assert found.video == "two.mp4"
    with pytest.raises(DataError, match=r"labels:1: the file does not say which video <track> belongs to"):
        read(f"{start}{track.replace('task_id', 'task')}</annotations>")


def test_via3_rows_name_their_attributes_and_options(read: Read):
    labels = read(VIA3_CSV)
    assert [(box.video, box.moment, box.box, box.actions) for box in labels.boxes] == [
        ("gym.mp4", 4.633, (10, 20, 60, 100), ("wave", "talk", "eat")),
        ("gym.mp4", 5.0, (10, 20, 60, 90), ("jump",)),
    ]
    assert labels.notes == [
        "left out 1 time segments without a box",
        "left out 1 shapes that are no rectangles",
    ]


def test_a_via3_project_gives_the_same_as_its_export(read: Read):
    box = _only(read(VIA3_JSON))
    assert (box.video, box.moment, box.box, box.actions) == ("gym.mp4", 4.633, (10, 20, 60, 100), ("wave",))


def test_via2_exports_are_read(read: Read):
    box = _only(read(VIA2_CSV))
    assert (box.video, box.moment, box.box, box.actions) == ("gym", 12, (10, 20, 50, 60), ("wave",))
    assert _only(read("#" + VIA2_CSV)) == box
    box = _only(read(VIA2_JSON, images=ImageNames(rate=2.0, first=2)))
    assert (box.moment, box.actions) == (5.0, ("wave", "eat"))
    assert _only(read({"_via_settings": {}, "_via_img_metadata": VIA2_JSON})).actions == ("wave", "eat")


def test_coco_categories_are_actions(read: Read):
    box = _only(read(COCO))
    assert (box.video, box.moment, box.box, box.actions) == ("gym", 12, (10, 20, 50, 60), ("wave",))
    assert (box.size, box.person) == ((160, 96), "2")
    video = {
        "videos": [{"id": 1, "name": "gym.mp4"}],
        "images": [{**COCO["images"][0], "video_id": 1, "frame_id": 4}],
    }
    box = _only(read({**COCO, **video}))
    assert (box.video, box.moment) == ("gym.mp4", 4)


def test_a_table_is_read_by_the_names_of_its_columns(read: Read):
    labels = read(TABLE)
    assert labels.notes == ["coordinates are taken for pixels"]
    first, second = labels.boxes
    assert (first.video, first.moment, first.box, first.person) == ("gym.mp4", 1.5, (10, 20, 50, 60), "anna")
    assert first.actions == ("wave", "sit")
    assert (second.moment, second.person, second.is_normalised) == (2.0, "", False)
    assert second.place.endswith("labels:3")


def test_a_table_of_another_country_is_read(read: Read):
    labels = read("﻿frame;h;w;y;x;class;file\n7;0,5;0,25;0,1;0,2;wave;gym\n")
    box = _only(labels)
    assert (box.moment, box.box, box.is_normalised) == (7, (0.2, 0.1, 0.45, 0.6), True)
    assert labels.notes == ["coordinates are taken for shares of width and height"]
    assert not _only(
        read("video,time,x1,y1,x2,y2,action\na,1,0,0,1,1,b\n", unit=BoxUnit.PIXELS)
    ).is_normalised


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("<annotations></annotations>", "no box in it; expected <track> or <image>"),
        ("<annotations><track>", r"labels:1: not XML that can be read \(no element found\)"),
        ("<annotations><a></b></annotations>", r"labels:1: .*mismatched tag"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', r"labels:1: it has a document type"),
        ("<a>" * 200, "nested too deeply"),
        (CVAT_VIDEO.replace('xtl="10"', 'xtl="ten"'), r"labels:14: xtl is 'ten'; a number is expected"),
        (CVAT_VIDEO.replace(' xtl="10"', ""), r"labels:14: xtl is missing; a number"),
        (CVAT_VIDEO.replace('frame="0" outside', 'frame="-1" outside'), r"frame is '-1'; a whole number"),
        (CVAT_VIDEO.replace('ybr="60"', 'ybr="1e400"', 1), r"ybr is '1e400'"),
        (CVAT_IMAGES.replace("frame_000012", "frame"), r"labels:3: the name .* does not tell video"),
        (CVAT_IMAGES.replace('width="160" ', ""), r"labels:3: width is missing"),
        ("{", "not JSON that can be read"),
        ("[" * 100_000, "not JSON that can be read"),
        ("[1]", "found list"),
        ("{}", r"JSON, but no labels that are known; found the keys \[\]; known: CVAT"),
        ({**VIA3_JSON, "view": {}}, "metadata 1_a: its view: found nothing"),
        ({**VIA3_JSON, "metadata": {"a": []}}, "metadata a: found list"),
        ({**COCO, "categories": []}, r"annotations\[0\]: category_id 1 is not among the categories"),
        ({**COCO, "images": []}, r"annotations\[0\]: image_id 5 is not among the images"),
        ({**COCO, "annotations": []}, "no annotation in it"),
        ({**COCO, "annotations": [{**COCO["annotations"][0], "bbox": [1]}]}, "bbox has 1 numbers"),
        (VIA3_CSV.replace("# CSV_HEADER", "# HEADER"), r"labels:6: the line '# CSV_HEADER = ...' is missing"),
        (VIA3_CSV.replace('"[4.633]"', '"[4,5]"'), r"labels:6: a box at times \[4, 5\]; expected one time"),
        (VIA3_CSV.replace('"[4.633]"', '"[-1]"'), r"labels:6: time is -1; a time from 0 on"),
        (VIA3_CSV.replace("[2,10,20,50,80]", "[2,10]"), r"labels:6: 1 coordinates of a rectangle"),
        (VIA3_CSV.replace('[""gym.mp4""]', "[]"), r"labels:6: 0 files; expected the name of one video"),
        (VIA2_CSV.replace("rect", "round"), "no rectangle in it"),
        ("a,b\n1,2\n", r"labels:1: no column video, no column action, no column time or frame, no column x1"),
        (TABLE.splitlines()[0], "no row below its header"),
        (TABLE.replace("gym.mp4,1.5", ",1.5"), r"labels:2: video is missing"),
        (TABLE.replace("1.5", "soon"), r"labels:2: time is 'soon'"),
        (TABLE.replace(",anna", ""), r"labels:2: 7 fields; the header has 8"),
        ("PK\x03\x04", r"a workbook \(.xlsx or .ods\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(read: Read, content: object, message: str):
    with pytest.raises(DataError, match=message):
        read(content)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="No such file"):
        read_labels(tmp_path / "gone.xml")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("wave", ["wave"]),
        (" wave ;  talk  to| ", ["wave", "talk to"]),
        ("open (e.g., a window)", ["open (e.g., a window)"]),
    ],
)
def test_names_are_divided_by_semicolons_not_by_commas(text: str, names: list[str]):
    assert split_names(text) == names


@pytest.mark.parametrize(
    ("label", "attributes", "actions"),
    [
        ("Person", [], ()),
        ("wave", [], ("wave",)),
        ("person", [("action", "wave; sit"), ("eats", "true"), ("runs", "No")], ("wave", "sit", "eats")),
        ("wave", [("hand", "left")], ("wave", "left")),
        ("person", [("a", "wave"), ("b", "wave")], ("wave",)),
    ],
)
def test_labels_and_attributes_become_actions(
    label: str, attributes: list[tuple[str, str]], actions: tuple[str, ...]
):
    assert ActionRules().actions(label, attributes) == actions


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gym_000012.jpg", ("gym", 12)),
        ("gym/000012.jpg", ("gym", 12)),
        ("a/b/gym/gym_000012.png", ("gym", 12)),
        ("gym\\img_00012.jpg", ("gym", 12)),
        ("gym 2/12.jpg", ("gym 2", 12)),
        ("cam-1.5-0012.jpg", ("cam-1.5", 12)),
    ],
)
def test_names_of_pictures_tell_video_and_frame(name: str, expected: tuple[str, int]):
    assert ImageNames().video_and_moment(name, "here") == expected


@given(text=st.text(max_size=60))
def test_any_name_gives_a_video_or_an_error(text: str):
    try:
        video, moment = ImageNames().video_and_moment(text, "here")
    except DataError:
        return
    assert video
    assert moment >= 0


_MESS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _read_or_refused(path: Path) -> Labels | None:
    """Return the labels; ``None`` when they are refused with the name of their file."""
    try:
        return read_labels(path)
    except DataError as error:
        if path.name not in str(error):
            raise
        return None


@given(data=st.data())
def test_documents_with_any_value_in_any_place_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
):
    """One value somewhere in a good document is replaced by another."""
    document = json.loads(json.dumps(data.draw(st.sampled_from([VIA3_JSON, VIA2_JSON, COCO]))))
    node: object = document
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
            node[key] = data.draw(_MESS)
            break
        node = node[key]
    path = tmp_path_factory.getbasetemp() / "mess.json"
    path.write_text(json.dumps(document))
    labels = _read_or_refused(path)
    assert labels is None or labels.boxes


@given(
    data=st.data(),
    text=st.sampled_from([CVAT_VIDEO, CVAT_IMAGES, VIA3_CSV, VIA2_CSV, TABLE]),
    inserted=st.text(max_size=3),
)
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, text: str, inserted: str
):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 20)))
    path = tmp_path_factory.getbasetemp() / "damaged.txt"
    path.write_bytes((text[:begin] + inserted + text[end:]).encode("utf-8", "surrogatepass"))
    labels = _read_or_refused(path)
    assert labels is None or labels.boxes or labels.tracks
