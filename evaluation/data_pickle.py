"""An interpreter for pickles that can only build data.

Every published checkpoint is a pickle, and a pickle is a program: the ordinary reader imports and calls
whatever the file names. This one never imports anything. It knows the instructions that build numbers, text,
lists and dictionaries; what a name in the file stands for is looked up in ``pickle_names``.

The tokens are read by the standard library's ``pickletools``, which executes nothing.

Reference: PEP 3154 and the instruction list in the standard library's pickletools module.
"""

import pickletools
from collections.abc import Callable
from typing import BinaryIO

from evaluation.pickle_names import (
    ArrayRecord,
    DamagedPickle,
    Dropped,
    DtypeRecord,
    Global,
    RefusedPickle,
    allowed,
    array_from_state,
    call,
    filled,
    integer,
    key_of,
    order_from_state,
    storage_of,
    text_of,
)

# A checkpoint of the largest model takes about 200,000; the limit bounds what a hostile file can pile up.
MAX_INSTRUCTIONS = 1_000_000

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
        max_instructions: more than these refuse the file.
    """

    def __init__(self, stream: BinaryIO, *, max_instructions: int = MAX_INSTRUCTIONS) -> None:
        self._stream, self._max_instructions = stream, max_instructions
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
                if count == self._max_instructions:
                    raise RefusedPickle(f"the pickle has more than {self._max_instructions:,} instructions")
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
        self._memo[integer(index)] = self._top()

    def _memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, index: object) -> None:
        self._stack.append(self._memo[integer(index)])

    # --- containers

    def _tuple(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _list(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def _dict(self, _: object) -> None:
        self._stack.append(filled({}, self._pop_to_mark()))

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
            filled(target, items)
        else:
            raise DamagedPickle("it sets items of what is no dictionary")

    def _additems(self, _: object) -> None:
        items, target = self._pop_to_mark(), self._top()
        if not isinstance(target, set):
            raise DamagedPickle("it adds items to what is no set")
        target.update(key_of(item) for item in items)

    # --- names, calls and state: the only places where an ordinary reader would run code

    def _global(self, argument: object) -> None:
        self._stack.append(allowed(str(argument).replace(" ", ".", 1)))

    def _stack_global(self, _: object) -> None:
        module, name = self._pop_many(2)
        self._stack.append(allowed(f"{text_of(module)}.{text_of(name)}"))

    def _reduce(self, _: object) -> None:
        function, arguments = self._pop_many(2)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise RefusedPickle("the pickle calls something that is not a function of numpy or torch")
        self._stack.append(call(function.name, arguments))

    def _build(self, _: object) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, ArrayRecord):
            target.array = array_from_state(state)
        elif isinstance(target, DtypeRecord):
            target.order = order_from_state(state)
        # What is left unset: the attributes of an OrderedDict (torch's _metadata), and skipped objects.
        elif not isinstance(target, dict | Dropped):
            raise RefusedPickle("the pickle sets the state of something that is neither array nor dictionary")

    def _persistent(self, _: object) -> None:
        self._stack.append(storage_of(self._pop()))


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
