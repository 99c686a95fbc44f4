"""Versions of the results database's schema, for Alembic.

Belongs here: `env.py`, by which Alembic finds the connection, and one file a version. A version
says in its own words what it changes, and is never edited once it was used: it does not read the
column contract, which goes on changing. A test holds that the newest version makes what the
contract declares, and shows the operations that are missing if it does not.

A version must be able to go on where it was interrupted: MySQL commits each change of a schema by
itself.
"""
