"""Private local servers of the kinds that an installation uses, for tests and the demo.

Each one listens on 127.0.0.1 only, stores its data in a given folder, and has a random
password, except Spark Connect.
"""
