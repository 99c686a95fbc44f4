"""Versions of the results database's schema, for Alembic.

Scope: `env.py`, which gives Alembic the connection, and one file for each version. A version
declares its changes itself and is never edited once it was released: it does not read the column
contracts, which go on changing. A test holds that the newest version makes what the contracts
declare, and shows the missing operations where it does not. Comments need no version: every upgrade
ends with storing the contracts' descriptions as comments.

A version must be able to continue where it was interrupted: MySQL commits each change of a schema
by itself.
"""
