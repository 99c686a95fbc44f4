import os
import shutil
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.local_servers import install
from ds_assets.local_servers.install import PROGRAMS, install_missing, path_of


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program but those that a test puts into the folder."""
    monkeypatch.setattr(install, "find", lambda name: existing_path(tmp_path / name))
    monkeypatch.setattr(shutil, "which", lambda name: existing_path(tmp_path / name))
    return tmp_path


def existing_path(path: Path) -> str | None:
    return str(path) if path.exists() else None


def test_nothing_is_installed_that_is_there(bare: Path) -> None:
    for program in PROGRAMS:
        (bare / program.name).touch()
    messages: list[str] = []
    install_missing(messages.append)
    assert messages == []


def test_where_apt_cannot_be_used_the_command_for_the_administrator_is_told(bare: Path) -> None:
    for program in PROGRAMS[1:]:
        (bare / program.name).touch()
    messages: list[str] = []
    with pytest.raises(InputError, match=r"mariadbd is missing, .* manually: apt-get"):
        install_missing(messages.append)
    assert messages == ["mariadbd, for the results database, is missing: apt-get update -qq"]


def test_an_installation_that_fails_is_told_with_what_it_said(bare: Path) -> None:
    for program in PROGRAMS[:-1]:
        (bare / program.name).touch()
    (bare / "npm").write_text("#!/bin/sh\necho no network >&2; exit 1\n")
    (bare / "npm").chmod(0o755)
    with pytest.raises(InputError, match=r"azurite-blob manually: .*; it printed: no network"):
        install_missing(lambda _: None)


def test_a_file_that_a_package_reads_is_written_before_the_package_is_installed() -> None:
    (program,) = [program for program in PROGRAMS if program.name == "postgres"]
    update, write, setup = (" ".join(command) for command in install._commands(program))
    assert update.startswith("apt-get update")
    assert "create_main_cluster = false" in write
    assert setup.endswith(" postgresql")


@pytest.mark.usefixtures("bare")
def test_a_program_that_is_missing_is_named_with_the_command_that_brings_it() -> None:
    with pytest.raises(InputError, match=r"mariadbd is not installed; `python -m ds_assets"):
        path_of("mariadbd")


def test_servers_beyond_a_users_path_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert install.find("chroot") == "/usr/sbin/chroot"
