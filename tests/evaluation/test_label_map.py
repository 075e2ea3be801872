"""Label maps: the built-in ones, the grammar whatever its layout, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.errors import DataError
from evaluation.label_map import LabelMap, load_label_map, parse_label_map

RARE = {2, 16, 18, 19, 21, 23, 25, 31, 32, 33, 35, 39, 40, 42, 44, 50, 53, 55, 71, 75}


@pytest.mark.parametrize("version", ["v2.1", "v2.2"])
def test_sixty_classes_are_the_eighty_without_the_rare_ones(version):
    evaluated, everything = load_label_map(version), load_label_map(f"{version}-80")
    assert everything.ids == tuple(range(1, 81))
    assert evaluated.ids == tuple(sorted(set(everything.ids) - RARE))
    assert evaluated.names == tuple(everything.name_of(class_id) for class_id in evaluated.ids)


def test_groups_are_avas_three():
    everything = load_label_map("v2.2-80")
    assert everything.groups == ("pose",) * 14 + ("object",) * 49 + ("person",) * 17
    evaluated = load_label_map("v2.2")
    assert evaluated.groups == tuple(everything.group_of(class_id) for class_id in evaluated.ids)


def test_a_map_answers_by_class_id():
    label_map = load_label_map("v2.2")
    assert (label_map.name_of(12), label_map.group_of(12), label_map.column_of(12)) == ("stand", "pose", 10)
    assert 12 in label_map
    assert 2 not in label_map
    assert len(label_map) == 60
    with pytest.raises(KeyError):
        label_map.column_of(2)


@pytest.mark.parametrize(
    "text",
    [
        'item {\n  name: "fall"\n  id: 7\n}\nitem {\n  name: "sit"\n  id: 3\n}\n',
        'item{name:"fall"id:7}item{name:"sit"id:3}',
        'item {\r\n\tid: 7\r\n\tname: "fall"\r\n}\r\nitem { id: 3, name: "sit" }',
        "# two\nlabel: < name: 'fall'; label_id: 7 > # the first\nlabel < label_id: +3 name: 's' \"it\" >",
        'item { name: "fall" id: 7 keypoints { id: 9 name: "knee" } } item { display_name: "sit" id: 3 }',
        "7: fall\n\n 3 :  sit \n",
    ],
    ids=["published layout", "one line", "tabs and CRLF", "comments and other marks", "nested", "N: name"],
)
def test_layout_means_nothing(text):
    label_map = parse_label_map(text, "mine.pbtxt")
    assert (label_map.ids, label_map.names) == ((7, 3), ("fall", "sit"))
    assert label_map.groups == ("other", "other")


def test_a_class_that_is_avas_by_chance_has_no_group_of_avas():
    chance = parse_label_map('item { name: "walk" id: 14 } item { name: "wipe" id: 15 }', "mine.pbtxt")
    assert chance.groups == ("other", "other")
    part = parse_label_map('item { name: "walk" id: 14 } item { name: "hand clap" id: 67 }', "part.pbtxt")
    assert part.groups == ("pose", "person")


def test_label_type_and_escapes_are_read():
    text = r'label { name: "say \"\303\251\"\x21\n" label_id: 1 label_type: PERSON_INTERACTION }'
    label_map = parse_label_map(text, "t")
    assert label_map.names == ('say "é"!\n',)
    assert label_map.groups == ("person",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t: no class in it; expected entries like: item"),
        ("# nothing", "t: no class in it"),
        ('{"fall": 1}', r"t:1: found '\{', expected entries like: item"),
        ("fall,sit\n", "t:1: found ','"),
        ('item {\n name: "a"\n id: 1\n', "t:3: the file ends inside an entry"),
        ('item { name: "a" }', "t:1: this entry has no id"),
        ("\nitem { id: 1 }", "t:2: this entry has no name"),
        ('item { name: "a" id: 0 }', "t:1: id 0; AVA's class ids start at 1"),
        ('item { name: "a" id: 1.5 }', "t:1: id '1.5', expected a whole number from 1"),
        ('item { name: "a" id: 99999999999 }', "t:1: id '99999999999', expected a whole number"),
        ('item { name: "a" id: 1 }\nitem { name: "b" id: 1 }', "t:2: id 1 is taken by line 1"),
        ('model { name: "a" id: 1 }', "t:1: found 'model', expected entries like"),
        ("1: a\nb\n", "t:2: found 'b', expected: N: name"),
        ("1: a\nx: b\n", "t:2: id 'x', expected a whole number"),
        ('item { name: "a id: 1 }', "t:1: found '\"a id"),
    ],
)
def test_what_is_no_label_map_is_refused_with_the_line(text, message):
    with pytest.raises(DataError, match=message):
        parse_label_map(text, "t")


def test_missing_and_unreadable_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no\.pbtxt: no such label map") as info:
        load_label_map(tmp_path / "no.pbtxt")
    assert info.value.hint == "Built-in label maps: v2.1, v2.2, v2.1-80, v2.2-80"
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        load_label_map(tmp_path)
    (tmp_path / "latin.pbtxt").write_bytes(b'item { name: "\xe9" id: 1 }')
    with pytest.raises(DataError, match="not UTF-8 text"):
        load_label_map(tmp_path / "latin.pbtxt")
    (tmp_path / "film.mp4").write_bytes(b"\0" * 4_000_001)
    with pytest.raises(DataError, match="larger than 4,000,000 bytes"):
        load_label_map(tmp_path / "film.mp4")


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "mine.pbtxt"
    path.write_bytes(b'\xef\xbb\xbfitem { name: "fall" id: 1 }')
    assert load_label_map(path).names == ("fall",)
    assert load_label_map(path).source == str(path)


def test_lists_of_different_length_are_a_mistake_of_the_program():
    with pytest.raises(ValueError, match="2 ids, 1 names, 1 groups"):
        LabelMap((1, 2), ("a",), ("pose",))


@given(st.text(max_size=80) | st.text(alphabet='item{}<>:"id name\n12\\#,;', max_size=80))
def test_any_text_is_a_map_or_refused(text):
    try:
        label_map = parse_label_map(text, "t")
    except DataError:
        return
    assert len(label_map) > 0


@given(st.dictionaries(st.integers(1, 10**6), st.text(min_size=1, max_size=20), min_size=1, max_size=10))
def test_what_is_written_in_the_grammar_is_read_back(classes):
    def quoted(name: str) -> str:
        return "".join(f"\\{byte:03o}" for byte in name.encode("utf-8", errors="replace"))

    text = "".join(f'item {{ name: "{quoted(name)}" id: {number} }}' for number, name in classes.items())
    label_map = parse_label_map(text, "t")
    assert label_map.ids == tuple(classes)
    assert label_map.names == tuple(
        name.encode("utf-8", errors="replace").decode() for name in classes.values()
    )
