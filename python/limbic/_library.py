"""The shared library, what it raises, and how Python's values become C's."""
import ctypes
import math
import operator
import os
import pathlib
import weakref

from . import _interface
from ._version import version

FILE_NAME = "liblimbic_c.so"


class Error(Exception):
    """What the library says of a call that failed, in a line. status: of limbic_c.h."""

    def __init__(self, message="", status=4):
        super().__init__(message)
        self.status = status


_was_used = False


def _checked(status):
    global _was_used
    _was_used = True
    if status != 0:
        raise Error(plain(library.limbic_last_error()), status)


def _places():
    beside = pathlib.Path(__file__).with_name(FILE_NAME)
    if beside.exists():
        return str(beside)
    return os.environ.get("LIMBIC_LIBRARY") or f"{FILE_NAME}.{version.split('.')[0]}"


def _load(path):
    try:
        found = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"limbic: cannot load its library ({error}); set LIMBIC_LIBRARY to the "
                          f"path of {FILE_NAME}") from None
    try:
        tell = found.limbic_version
        tell.restype, tell.argtypes = ctypes.c_char_p, []
        its = tell().decode()
        if its != version:
            raise ImportError(f"limbic: this module is version {version}, {path} is {its}")
        return _interface.declare(found, _checked)
    except AttributeError as error:
        raise ImportError(f"limbic: {path} is not Limbic's library ({error})") from None


library = _load(_places())


def _refuse(*_):
    raise Error("this process was forked from one that had used Limbic, whose threads it lacks; "
                "start it anew: multiprocessing.get_context('spawn')")


def _after_fork():
    # Its threads would be waited for for ever.
    if _was_used:
        for name in _interface.functions:
            setattr(library, name, _refuse)


os.register_at_fork(after_in_child=_after_fork)


def _free(free, value, process):
    if os.getpid() == process:
        free(value)


class Handle:
    """Of the library's, freed when nobody refers to it any more, or by `free()`, once."""

    def __init__(self, value, free):
        self.value = value
        self.free = weakref.finalize(self, _free, free, value, os.getpid())
        self.free.atexit = False

    def __reduce__(self):
        raise TypeError("a handle of Limbic's lives in this process alone, cannot be pickled or copied")


class Owner:
    """Base of what stands for a handle of the library: `with`, close(), no pickling. Closed, it is
    refused by every call, with an Error."""

    _handle: Handle

    def _own(self, value, free):
        self._handle = Handle(value, free)

    def close(self):
        """Frees it now; else that happens when nobody refers to it any more."""
        self._handle.free()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __reduce__(self):
        raise TypeError(f"limbic.{type(self).__name__}: lives in this process alone, cannot be "
                        "pickled or copied")


def whole(value, name, low, high):
    """An int of this range. Throws TypeError, ValueError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}") from None
    if not low <= number <= high:
        raise ValueError(f"{name}: expected {low} to {high}, got {number}")
    return number


def real(value, name):
    """A finite float. Throws TypeError, ValueError."""
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    except TypeError:
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a finite number, got {number}")
    return number


def _whole_text(encoded, name):
    if b"\0" in encoded:
        raise ValueError(f"{name}: has a null character in it")
    return encoded


def text(value, name):
    """UTF-8 without nulls. Throws TypeError, ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
    return _whole_text(value.encode("utf-8", "surrogateescape"), name)


def path_text(value, name):
    """A path as the system spells it. Throws TypeError, ValueError."""
    try:
        return _whole_text(os.fsencode(value), name)
    except TypeError:
        raise TypeError(f"{name}: expected a path, got {type(value).__name__}") from None


def plain(encoded):
    """A str of what the library returned."""
    return encoded.decode("utf-8", "replace")


def set_threads(threads=0):
    """Threads of all work; 0: the cores that this process may use."""
    library.limbic_set_threads(whole(threads, "threads", 0, 4096))
