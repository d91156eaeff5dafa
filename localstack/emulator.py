"""Runs MiniStack in this process, with three settings of Python changed and two answers remembered.

MiniStack adds DynamoDB's numbers with Python's decimals, whose 28 digits are too few: AWS keeps 38.

MiniStack hands an event to a function in two writes, headers and body. With Nagle's
algorithm on, the second waits for the kernel's delayed acknowledgement of the first: about
40 ms on each invocation that AWS does not have.

All rows live in this process. Python's collector looks at every object again and again unless it
is told that most of them stay.

MiniStack parses a query's expression anew for each row that it looks at, which made queries cost
more than everything else together. What an expression's text parses to never changes.
"""

import sys

# This folder holds a platform.py, which must not hide the standard module of that name.
sys.path.pop(0)

import decimal
import functools
import gc
import socketserver

from ministack.app import main
from ministack.services import dynamodb


def remember_parsed() -> None:
    """Parses each DynamoDB expression once."""
    tokenize = functools.lru_cache(maxsize=4096)(dynamodb._tokenize)
    # Callers get a list of their own.
    dynamodb._tokenize = lambda expression: list(tokenize(expression))
    dynamodb._condition_syntax_error = functools.lru_cache(maxsize=4096)(dynamodb._condition_syntax_error)


if __name__ == "__main__":
    decimal.DefaultContext.prec = 80
    decimal.setcontext(decimal.DefaultContext.copy())
    gc.set_threshold(100_000, 50, 100)
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    remember_parsed()
    main()
