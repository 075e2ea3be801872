"""The interpreter of pickles: it builds what the ordinary reader builds of data, and nothing else."""

import datetime
import functools
import io
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.data_pickle import DataUnpickler
from evaluation.pickle_names import ArrayRecord, DamagedPickle, RefusedPickle

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
keys = st.text() | st.integers() | st.booleans() | st.none()


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4).map(OrderedDict),
        st.tuples(inner, inner),
        st.tuples(inner, inner, inner, inner),
        st.sets(st.integers(), max_size=4),
    )


data = st.recursive(scalars, containers, max_leaves=10)


def read(content: bytes) -> object:
    return DataUnpickler(io.BytesIO(content)).read()


@given(value=data, protocol=st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_plain_data_come_out_as_they_went_in(value: object, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@given(
    array=st.tuples(
        st.sampled_from("f2 f4 f8 i1 i2 i4 i8 u1 b1".split()), st.lists(st.integers(0, 4), max_size=4)
    ),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    column_major=st.booleans(),
)
def test_arrays_come_out_as_they_went_in(
    array: tuple[str, list[int]], protocol: int, column_major: bool
) -> None:
    dtype, shape = array
    original = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape, order="F" if column_major else "C")
    record = read(pickle.dumps(original, protocol))
    assert isinstance(record, ArrayRecord)
    assert record.array is not None
    np.testing.assert_array_equal(record.array, original, strict=True)


def test_a_shared_object_stays_shared() -> None:
    shared = [1]
    first, second = read(pickle.dumps([shared, shared]))  # type: ignore[misc]
    assert first is second


def test_several_pickles_are_read_one_after_the_other() -> None:
    stream = io.BytesIO(pickle.dumps("one") + pickle.dumps("two") + b"rest")
    assert [DataUnpickler(stream).read(), DataUnpickler(stream).read()] == ["one", "two"]
    assert stream.read() == b"rest"


GOOD = pickle.dumps({"blobs": {"conv1_w": np.ones((2, 3), "f4"), "lr": 0.1, "names": ["a", ("b", None)]}}, 2)


@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    length=st.integers(0, len(GOOD)),
)
def test_a_damaged_pickle_is_read_or_refused_and_nothing_else(changes: list, length: int) -> None:
    content = bytearray(GOOD)
    for place, byte in changes:
        content[place] = byte
    try:
        read(bytes(content[:length]))
    except RefusedPickle as refusal:
        assert str(refusal)  # noqa: PT017


@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else(content: bytes) -> None:
    try:
        read(content)
    except RefusedPickle as refusal:
        assert str(refusal)  # noqa: PT017


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (print, "builtins.print"),
        (eval, "builtins.eval"),
        (subprocess.Popen, "Popen"),
        (functools.partial(print), "functools.partial"),
        (datetime.date(2020, 1, 1), "datetime.date"),
        (np.random.default_rng, "default_rng"),
        (frozenset([1]), None),
        (1 + 2j, "builtins.complex"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_everything_but_data_is_refused_by_name(value: object, name: str | None, protocol: int) -> None:
    content = pickle.dumps(value, protocol).replace(b"__builtin__", b"builtins")
    with pytest.raises(RefusedPickle, match=name or "frozenset|FROZENSET"):
        read(content)


def test_a_name_on_the_list_cannot_be_called_with_other_things() -> None:
    with pytest.raises(RefusedPickle, match="an unknown encoding"):  # _codecs.encode would run any codec
        read(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.")
    with pytest.raises(RefusedPickle, match=r"calls 'numpy\.ndarray'"):  # would take memory
        read(b"\x80\x02cnumpy\nndarray\nJ\x00\x00\x00\x40\x85R.")
    with pytest.raises(RefusedPickle, match="builds bytes in a way"):
        read(b"\x80\x02c__builtin__\nbytes\nJ\x00\x00\x00\x40\x85R.")


def test_the_attributes_of_a_name_cannot_be_set() -> None:
    state = b"\x80\x02ccollections\nOrderedDict\nN}X\x01\x00\x00\x00xK\x01s\x86b."  # BUILD with slots
    with pytest.raises(RefusedPickle, match="sets the state of something"):
        read(state)
    assert not hasattr(OrderedDict, "x")


def test_a_deeply_nested_key_does_not_overflow_the_stack() -> None:
    nested = b")" + b"\x85" * 60_000  # ((((...),),),)
    with pytest.raises(RefusedPickle, match="a dictionary key of type tuple"):
        read(b"\x80\x02}" + nested + b"Ns.")


def test_a_deeply_nested_value_in_a_message_does_not_overflow_the_stack() -> None:
    nested = b"]" * 1 + b"]a" * 20_000
    with pytest.raises(RefusedPickle, match="list where text belongs"):
        read(b"\x80\x04" + nested + nested + b"\x93.")  # STACK_GLOBAL


def test_a_huge_memo_index_takes_no_memory() -> None:
    assert read(b"\x80\x02Nr\xff\xff\xff\xff.") is None  # LONG_BINPUT


def test_a_huge_number_is_no_size() -> None:
    huge = b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000  # LONG4
    content = GOOD.replace(b"K\x02K\x03\x86", huge + huge + b"\x86")
    assert content != GOOD
    with pytest.raises(DamagedPickle, match="int where a whole number belongs"):
        read(content)


def test_a_length_beyond_the_end_takes_no_memory() -> None:
    with pytest.raises(DamagedPickle, match="the pickle is damaged"):
        read(b"\x80\x04\x8e" + b"\xff" * 8 + b"abc")  # BINBYTES8
    with pytest.raises(DamagedPickle, match="only 3 remain"):
        read(b"\x80\x04B\xff\xff\xff\x7fabc")  # BINBYTES


def test_millions_of_instructions_are_refused() -> None:
    with pytest.raises(RefusedPickle, match="more than 1,000,000 instructions"):
        read(b"\x80\x02" + b"N0" * 510_000 + b"N.")


def test_the_reader_imports_nothing_that_a_file_names() -> None:
    assert "antigravity" not in sys.modules
    with pytest.raises(RefusedPickle, match="antigravity"):
        read(b"\x80\x02cantigravity\nfly\n.")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02", "the pickle is damaged"),
        (b"\x80\x02.", "takes from an empty stack"),
        (b"\x80\x02t.", "a mark is missing"),
        (b"\x80\x02NNa.", "appends to what is no list"),
        (b"\x80\x02NNNs.", "sets items of what is no dictionary"),
        (b"\x80\x02](Ne}h\x07.", "the pickle is damaged"),
        (b"\x80\x02(Nd.", "a key without a value"),
        (b"\x80\x04\x8f(K\x01\x90K\x01(\x90.", "adds items to what is no set"),
        (b"\x80\x02NQ.", "refers to something outside itself"),
        (b"\x80\x02NN\x86NR.", "calls something that is not a function"),
    ],
    ids=lambda part: part[:20] if isinstance(part, str) else None,
)
def test_senseless_instructions_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(RefusedPickle, match=message):
        read(content)
