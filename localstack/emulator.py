"""Runs MiniStack in this process, with one setting of Python's HTTP server changed.

MiniStack hands an event to a function in two writes, headers and body. With Nagle's
algorithm on, the second waits for the kernel's delayed acknowledgement of the first: about
40 ms on each invocation that AWS does not have.
"""

import sys

# This folder holds a platform.py, which must not hide the standard module of that name.
sys.path.pop(0)

import socketserver

from ministack.app import main

if __name__ == "__main__":
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    main()
