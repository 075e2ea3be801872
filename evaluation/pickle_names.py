"""What the names in a checkpoint's pickle mean here: records instead of objects, checks instead of trust.

numpy and torch write an array or a tensor as a call of one of their functions, with a state to be set. The
table ``_FUNCTIONS`` gives each of these names a function of ours, which compares the declared sizes with the
bytes that are there before memory is taken. A name that is not in the table refuses the file.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


class RefusedPickle(Exception):
    """The file is damaged, or wants more than building data; the text lacks only the file's name."""


class DamagedPickle(RefusedPickle):
    """The instructions make no sense; ``what`` says which ones."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pickle is damaged ({what})")


@dataclass(frozen=True, slots=True)
class StorageRecord:
    """A torch storage that the pickle names: ``numel`` numbers of ``dtype`` kept elsewhere in the file."""

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A strided view of a storage, checked to lie inside it; strides and offset count numbers, not bytes."""

    storage: StorageRecord
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class ArrayRecord:
    """A numpy array as numpy pickles it: created empty, filled by the state that follows."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = array


class DtypeRecord:
    """A numpy dtype; only plain numbers in little-endian (or byte-wide) order are ever accepted."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "<"

    def dtype(self) -> np.dtype:
        """Return numpy's type.

        Raises:
            RefusedPickle: it is big-endian.
        """
        if self.order == ">":
            raise RefusedPickle("its arrays are big-endian; little-endian ones are expected")
        return np.dtype(_NUMPY_CODES[self.code])


class Dropped:
    """Stands for an object of a training tool that is skipped without being built; ``name`` says what."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(frozen=True, slots=True)
class Global:
    """A name from the file that is on the list; a value like any other until it is called."""

    name: str


_NUMPY_CODES = {
    **{code: code for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")},
    "b": "i1", "B": "u1", "?": "b1", "e": "f2", "f": "f4", "d": "f8", "i": "i4", "l": "i8", "q": "i8",
}  # fmt: skip

STORAGE_DTYPES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}

# Written by mmengine into files that hold training state; of no use without it, and never built here.
_SKIPPED = {"mmengine.logging.history_buffer.HistoryBuffer"}

# Names that are only ever arguments, never called.
_MARKERS = {"numpy.ndarray"}


def integer(value: object) -> int:
    """Check a count, a size or a position; the bound keeps products of them quick to compute."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise DamagedPickle(f"{type(value).__name__} where a whole number belongs")
    return value


def key_of(value: object) -> object:
    """Check a dictionary key: scalars only, for hashing deeply nested tuples would overflow the C stack."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise RefusedPickle(f"the pickle has a dictionary key of type {type(value).__name__}")


def filled(target: dict, items: list[object]) -> dict:
    """Put alternating keys and values into a dictionary and return it."""
    if len(items) % 2:
        raise DamagedPickle("a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[key_of(key)] = value
    return target


def _ordered_dict(pairs: Iterable = ()) -> dict:
    return filled({}, [item for pair in pairs for item in _two(pair)])


def _two(pair: object) -> list:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise DamagedPickle("a pair is expected")
    return list(pair)


def _set(items: list) -> set:
    return {key_of(item) for item in items}


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise DamagedPickle("text in an unknown encoding")
    return text.encode(encoding)


def _empty_bytes(*arguments: object) -> bytes:
    if arguments:
        raise RefusedPickle("the pickle builds bytes in a way that data never needs")
    return b""


def _reconstruct(*_: object) -> ArrayRecord:
    """Begin an array. The shape given here is a stand-in; the real one comes with the state that follows."""
    return ArrayRecord()


def _dtype(code: str, *_: object) -> DtypeRecord:
    code = text_of(code)
    order = code[0] if code[:1] in "<>=|" else "<"
    record = DtypeRecord(code.lstrip("<>=|"))
    if record.code not in _NUMPY_CODES:
        raise RefusedPickle(f"it holds an array of type {code[:40]!r}; numbers are expected")
    record.order = order
    return record


def text_of(value: object) -> str:
    """Check a text; bytes are Python 2's 8-bit strings."""
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if not isinstance(value, str):
        raise DamagedPickle(f"{type(value).__name__} where text belongs")
    return value


def order_from_state(state: object) -> str:
    """Return the byte order in numpy's pickle state of a number type: "<", ">", "=" or "|"."""
    if not isinstance(state, tuple) or len(state) < 2 or text_of(state[1]) not in "<>=|":
        raise DamagedPickle("the state of a number type")
    return text_of(state[1])


def array_from_state(state: object) -> np.ndarray:
    """Build an array from numpy's pickle state (version, shape, dtype, column-major, bytes)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise DamagedPickle("the state of an array")
    _, shape, dtype, column_major, data = state
    return _array(data, dtype, shape, "F" if column_major else "C")


def _array(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    if not isinstance(dtype, DtypeRecord):
        raise DamagedPickle("an array without a number type")
    if isinstance(data, str):  # Python 2 has one kind of string; the token reader decodes it as latin-1
        data = data.encode("latin1")
    if not isinstance(data, bytes | bytearray):
        raise RefusedPickle("it holds an array that is not of numbers")
    sizes, kind = _sizes(shape), dtype.dtype()
    declared = math.prod(sizes) * kind.itemsize
    if declared != len(data):
        raise RefusedPickle(
            f"it declares {declared:,} bytes, an array of shape {list(sizes)}, and holds {len(data):,}"
        )
    flat = np.frombuffer(bytearray(data), kind) if data else np.empty(0, kind)
    return flat.reshape(sizes, order="F" if order == "F" else "C")


def _frombuffer(data: object, dtype: object, shape: object, order: object) -> ArrayRecord:
    return ArrayRecord(_array(data, dtype, shape, order))


def _scalar(dtype: object, data: object) -> object:
    return _array(data, dtype, (), "C").item()


def _sizes(value: object) -> tuple[int, ...]:
    """Check the sizes or strides of an array: a short tuple of whole numbers from 0."""
    if not isinstance(value, tuple | list) or len(value) > 8:
        raise DamagedPickle("the shape of an array")
    sizes = tuple(integer(size) for size in value)
    if any(size < 0 for size in sizes):
        raise RefusedPickle(f"it declares an array of shape {list(sizes)}")
    return sizes


def storage_of(identity: object) -> StorageRecord:
    """Read torch's reference to a storage: ("storage", type, key, device, count of numbers, ...)."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise RefusedPickle("the pickle refers to something outside itself that is no storage")
    kind, key, numel = identity[1], identity[2], integer(identity[4])
    if not isinstance(kind, Global) or kind.name not in STORAGE_DTYPES:
        raise RefusedPickle("it holds a tensor of an unknown number type")
    if len(identity) == 6 and identity[5] is not None:
        raise RefusedPickle("it was written by a torch before 0.4; load and save it again with a newer one")
    if numel < 0:
        raise RefusedPickle(f"it declares a storage of {numel} numbers")
    return StorageRecord(key=text_of(key), dtype=STORAGE_DTYPES[kind.name], numel=numel)


def _rebuild_tensor(
    storage: object, offset: object, size: object, stride: object, *_: object
) -> TensorRecord:
    if not isinstance(storage, StorageRecord):
        raise DamagedPickle("a tensor without a storage")
    start, sizes, strides = integer(offset), _sizes(size), _sizes(stride)
    last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    numel = math.prod(sizes)
    if start < 0 or (numel and last >= storage.numel) or numel > storage.numel:
        raise RefusedPickle(f"it declares a tensor of shape {list(sizes)} over {storage.numel:,} numbers")
    return TensorRecord(storage, start, sizes, strides)


def _rebuild_parameter(data: object, *_: object) -> object:
    return data


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered_dict,
    "_codecs.encode": _encode,
    "__builtin__.set": _set,
    "builtins.set": _set,
    "__builtin__.bytes": _empty_bytes,
    "builtins.bytes": _empty_bytes,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray._reconstruct": _reconstruct,
    "numpy._core.multiarray._reconstruct": _reconstruct,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _frombuffer,
    "numpy._core.numeric._frombuffer": _frombuffer,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}


def allowed(name: str) -> Global:
    """Return the value that stands for a name in a file.

    Raises:
        RefusedPickle: the name is not one of those that data need.
    """
    if name in _FUNCTIONS or name in STORAGE_DTYPES or name in _SKIPPED | _MARKERS:
        return Global(name)
    raise RefusedPickle(f"the pickle wants {name[:80]!r}, which is not data")


def call(name: str, arguments: tuple) -> object:
    """Return what a call of an allowed name gives.

    Raises:
        RefusedPickle: the name is only ever an argument, or the arguments are not those of data.
    """
    if name in _SKIPPED:
        return Dropped(name)
    if name not in _FUNCTIONS:
        raise RefusedPickle(f"the pickle calls {name!r}")
    return _FUNCTIONS[name](*arguments)
