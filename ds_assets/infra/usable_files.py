"""Folders and files that settings name, refused before they are used if they cannot be.

Scope: what the name says. Whether a server accepts a certificate is for the server.
"""

import os
from pathlib import Path

from ds_assets.errors import InputError


def refuse_no_folder(folder: Path, setting: str) -> None:
    """Refuse a folder that is a file, or that lies below one; it need not exist.

    Raises:
        InputError: the message names the setting.
    """
    existing = _existing(folder)
    if not existing.is_dir():
        raise InputError(f"{existing} is not a folder; correct {setting}")


def refuse_unwritable(folder: Path, setting: str) -> None:
    """Refuse a folder into which this user may not write; it need not exist.

    Raises:
        InputError: the message names the setting.
    """
    refuse_no_folder(folder, setting)
    existing = _existing(folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{existing} is not writable for this user; correct {setting}")


def refuse_no_pem(file: Path, setting: str, option: str) -> None:
    """Refuse a file that does not hold what TLS needs, a certificate or a key in the form PEM.

    Args:
        file: The file.
        setting: The setting whose URL names it.
        option: The option of the URL.

    Raises:
        InputError: it does not exist, cannot be read or holds something else.
    """
    named = f"{setting}: {option} names {file}"
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{named}, and there is no such file") from None
    except OSError as error:
        raise InputError(f"{named}, which cannot be read: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise InputError(f"{named}, which is not in the form PEM (-----BEGIN …)")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
