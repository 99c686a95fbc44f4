"""Private servers of the kinds that an installation uses, on this machine, for tests and the demo.

Each listens on 127.0.0.1 only, keeps what it has in a folder that it is given, and is reached with
a password that is made when it starts.
"""
