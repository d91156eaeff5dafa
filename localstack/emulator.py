"""Runs MiniStack in this process, with two settings of Python changed.

MiniStack adds DynamoDB's numbers with Python's decimals, whose 28 digits are too few: AWS keeps 38.

MiniStack hands an event to a function in two writes, headers and body. With Nagle's
algorithm on, the second waits for the kernel's delayed acknowledgement of the first: about
40 ms on each invocation that AWS does not have.
"""

import sys

# This folder holds a platform.py, which must not hide the standard module of that name.
sys.path.pop(0)

import decimal
import socketserver

from ministack.app import main

if __name__ == "__main__":
    decimal.DefaultContext.prec = 80
    decimal.setcontext(decimal.DefaultContext.copy())
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    main()
