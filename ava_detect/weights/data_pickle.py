"""An interpreter for pickles that can only build data.

Every published checkpoint is a pickle, and a pickle is a program: the ordinary reader imports and calls
whatever the file names. This one never imports anything. It knows the instructions that build numbers, text,
lists and dictionaries; a name in the file is looked up in the table ``_FUNCTIONS`` below, which holds our own
functions for what numpy and torch write, and any other name refuses the file. Arrays and tensors come out as
records whose sizes have been checked against the bytes that are there, before memory is taken.

The tokens are read by the standard library's ``pickletools``, which executes nothing.

Reference: PEP 3154 and the instruction list in the standard library's pickletools module.
"""

import math
import pickletools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO

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


class _DtypeRecord:
    """A numpy dtype; only plain numbers in little-endian (or byte-wide) order are ever accepted."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "<"

    def dtype(self) -> np.dtype:
        if self.order == ">":
            raise RefusedPickle("its arrays are big-endian; little-endian ones are expected")
        return np.dtype(_NUMPY_CODES[self.code])


class Dropped:
    """Stands for an object of a training tool that is skipped without being built; ``name`` says what."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(frozen=True, slots=True)
class _Global:
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

# A checkpoint of the largest model takes about 200,000; the limit bounds what a hostile file can pile up.
_MAX_INSTRUCTIONS = 1_000_000

_PUSH_ARGUMENT = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_PUSH_NEW: dict[str, Callable[[], object]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set,
}  # fmt: skip
_TUPLE_SIZES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class DataUnpickler:
    """Reads one pickle from a binary stream, which is left just behind it.

    Args:
        stream: needs ``read``, ``readline`` and ``tell``. A read past the end must return less and take no
            memory for what is missing, as ``mmap`` and ``io.BytesIO`` do.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}

    def read(self) -> object:
        """Return what the pickle holds.

        Raises:
            RefusedPickle: it is damaged, or holds something other than data.
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self._stream)):
                if opcode.name == "STOP":
                    return self._pop()
                if count == _MAX_INSTRUCTIONS:
                    raise RefusedPickle(f"the pickle has more than {_MAX_INSTRUCTIONS:,} instructions")
                self._step(opcode.name, argument)
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
            raise DamagedPickle(f"{error}") from error
        raise DamagedPickle("it has no end")

    def _step(self, name: str, argument: object) -> None:
        """Carry out one instruction."""
        if name in _PUSH_ARGUMENT:
            self._stack.append(argument)
        elif name in _PUSH_NEW:
            self._stack.append(_PUSH_NEW[name]())
        elif name in _TUPLE_SIZES:
            self._stack.append(tuple(self._pop_many(_TUPLE_SIZES[name])))
        elif (handler := _HANDLERS.get(name)) is not None:
            handler(self, argument)
        else:
            raise DamagedPickle(f"it uses the instruction {name}, which plain data never needs")

    # --- stack and memo

    def _pop(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise DamagedPickle("it takes from an empty stack")
        return self._stack.pop()

    def _pop_many(self, count: int) -> list[object]:
        return [self._pop() for _ in range(count)][::-1]

    def _pop_to_mark(self) -> list[object]:
        if not self._marks:
            raise DamagedPickle("a mark is missing")
        start = self._marks.pop()
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _top(self) -> object:
        self._stack.append(self._pop())
        return self._stack[-1]

    def _mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def _put(self, index: object) -> None:
        self._memo[_integer(index)] = self._top()

    def _memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, index: object) -> None:
        self._stack.append(self._memo[_integer(index)])

    # --- containers

    def _tuple(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _list(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def _dict(self, _: object) -> None:
        self._stack.append(_filled({}, self._pop_to_mark()))

    def _append(self, _: object) -> None:
        self._extend([self._pop()])

    def _appends(self, _: object) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[object]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise DamagedPickle("it appends to what is no list")
        target.extend(items)

    def _setitem(self, _: object) -> None:
        self._set(self._pop_many(2))

    def _setitems(self, _: object) -> None:
        self._set(self._pop_to_mark())

    def _set(self, items: list[object]) -> None:
        target = self._top()
        if isinstance(target, dict):
            _filled(target, items)
        else:
            raise DamagedPickle("it sets items of what is no dictionary")

    def _additems(self, _: object) -> None:
        items, target = self._pop_to_mark(), self._top()
        if not isinstance(target, set):
            raise DamagedPickle("it adds items to what is no set")
        target.update(_key(item) for item in items)

    # --- names, calls and state: the only places where an ordinary reader would run code

    def _global(self, argument: object) -> None:
        self._stack.append(_allowed(str(argument).replace(" ", ".", 1)))

    def _stack_global(self, _: object) -> None:
        module, name = self._pop_many(2)
        self._stack.append(_allowed(f"{_text(module)}.{_text(name)}"))

    def _reduce(self, _: object) -> None:
        function, arguments = self._pop_many(2)
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise RefusedPickle("the pickle calls something that is not a function of numpy or torch")
        self._stack.append(_call(function.name, arguments))

    def _build(self, _: object) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, ArrayRecord):
            target.array = _array_from_state(state)
        elif isinstance(target, _DtypeRecord):
            target.order = _order_from_state(state)
        # What is left unset: the attributes of an OrderedDict (torch's _metadata), and skipped objects.
        elif not isinstance(target, dict | Dropped):
            raise RefusedPickle("the pickle sets the state of something that is neither array nor dictionary")

    def _persistent(self, _: object) -> None:
        self._stack.append(_storage(self._pop()))


_HANDLERS: dict[str, Callable[[DataUnpickler, object], None]] = {
    "PROTO": lambda _, __: None,
    "FRAME": lambda _, __: None,
    "MARK": DataUnpickler._mark,
    "POP": lambda reader, _: (reader._pop(), None)[1],
    "POP_MARK": lambda reader, _: (reader._pop_to_mark(), None)[1],
    "PUT": DataUnpickler._put,
    "BINPUT": DataUnpickler._put,
    "LONG_BINPUT": DataUnpickler._put,
    "MEMOIZE": DataUnpickler._memoize,
    "GET": DataUnpickler._get,
    "BINGET": DataUnpickler._get,
    "LONG_BINGET": DataUnpickler._get,
    "TUPLE": DataUnpickler._tuple,
    "LIST": DataUnpickler._list,
    "DICT": DataUnpickler._dict,
    "APPEND": DataUnpickler._append,
    "APPENDS": DataUnpickler._appends,
    "SETITEM": DataUnpickler._setitem,
    "SETITEMS": DataUnpickler._setitems,
    "ADDITEMS": DataUnpickler._additems,
    "GLOBAL": DataUnpickler._global,
    "STACK_GLOBAL": DataUnpickler._stack_global,
    "REDUCE": DataUnpickler._reduce,
    "NEWOBJ": DataUnpickler._reduce,
    "BUILD": DataUnpickler._build,
    "BINPERSID": DataUnpickler._persistent,
}


def _integer(value: object) -> int:
    """Check a count, a size or a position; the bound keeps products of them quick to compute."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise DamagedPickle(f"{type(value).__name__} where a whole number belongs")
    return value


def _key(value: object) -> object:
    """Check a dictionary key: scalars only, for hashing deeply nested tuples would overflow the C stack."""
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    raise RefusedPickle(f"the pickle has a dictionary key of type {type(value).__name__}")


def _filled(target: dict, items: list[object]) -> dict:
    if len(items) % 2:
        raise DamagedPickle("a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[_key(key)] = value
    return target


def _allowed(name: str) -> _Global:
    if name in _FUNCTIONS or name in STORAGE_DTYPES or name in _SKIPPED | _MARKERS:
        return _Global(name)
    raise RefusedPickle(f"the pickle wants {name[:80]!r}, which is not data")


def _call(name: str, arguments: tuple) -> object:
    if name in _SKIPPED:
        return Dropped(name)
    if name not in _FUNCTIONS:
        raise RefusedPickle(f"the pickle calls {name!r}")
    return _FUNCTIONS[name](*arguments)


# --- what the names in a checkpoint mean, in our words


def _ordered_dict(pairs: Iterable = ()) -> dict:
    return _filled({}, [item for pair in pairs for item in _two(pair)])


def _two(pair: object) -> list:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise DamagedPickle("a pair is expected")
    return list(pair)


def _set(items: list) -> set:
    return {_key(item) for item in items}


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


def _dtype(code: str, *_: object) -> _DtypeRecord:
    code = _text(code)
    order = code[0] if code[:1] in "<>=|" else "<"
    record = _DtypeRecord(code.lstrip("<>=|"))
    if record.code not in _NUMPY_CODES:
        raise RefusedPickle(f"it holds an array of type {code[:40]!r}; numbers are expected")
    record.order = order
    return record


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if not isinstance(value, str):
        raise DamagedPickle(f"{type(value).__name__} where text belongs")
    return value


def _order_from_state(state: object) -> str:
    if not isinstance(state, tuple) or len(state) < 2 or _text(state[1]) not in "<>=|":
        raise DamagedPickle("the state of a number type")
    return _text(state[1])


def _array_from_state(state: object) -> np.ndarray:
    """Build an array from numpy's pickle state (version, shape, dtype, column-major, bytes)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise DamagedPickle("the state of an array")
    _, shape, dtype, column_major, data = state
    return _array(data, dtype, shape, "F" if column_major else "C")


def _array(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    if not isinstance(dtype, _DtypeRecord):
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
    sizes = tuple(_integer(size) for size in value)
    if any(size < 0 for size in sizes):
        raise RefusedPickle(f"it declares an array of shape {list(sizes)}")
    return sizes


def _storage(identity: object) -> StorageRecord:
    """Read torch's reference to a storage: ("storage", type, key, device, count of numbers, ...)."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise RefusedPickle("the pickle refers to something outside itself that is no storage")
    kind, key, numel = identity[1], identity[2], _integer(identity[4])
    if not isinstance(kind, _Global) or kind.name not in STORAGE_DTYPES:
        raise RefusedPickle("it holds a tensor of an unknown number type")
    if len(identity) == 6 and identity[5] is not None:
        raise RefusedPickle("it was written by a torch before 0.4; load and save it again with a newer one")
    if numel < 0:
        raise RefusedPickle(f"it declares a storage of {numel} numbers")
    return StorageRecord(key=_text(key), dtype=STORAGE_DTYPES[kind.name], numel=numel)


def _rebuild_tensor(
    storage: object, offset: object, size: object, stride: object, *_: object
) -> TensorRecord:
    if not isinstance(storage, StorageRecord):
        raise DamagedPickle("a tensor without a storage")
    start, sizes, strides = _integer(offset), _sizes(size), _sizes(stride)
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
