"""Builds the guest: Debian's own kernel, BlueZ and D-Bus, and the Python packages that this project needs.

Knows: apt and pip as this computer has them set up, mmdebstrap. Must never know: how it is booted, what is tested.

An image is kept by what it is made from; what it runs lies in the checkout and not in it. Nothing is installed on this
computer, and where packages come from is written nowhere.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import IO

from guest_boot import Image

HERE = Path(__file__).resolve().parent
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The Python of each Debian release that this has been written for."""
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "sqfstar": "squashfs-tools",
    "cpio": "cpio",
    "xz": "xz-utils",
}
"""Programs that are needed, and the Debian packages that hold them."""
_DEBIAN = "bash,bluez,busybox,dbus,dbus-daemon,kmod,libstdc++6,mount,python3"
_TESTING = ("hypothesis", "pytest", "pytest-asyncio")
_MADE_FROM = ("customise", "early-init", "guest_image.py")
_APT_SETTING = re.compile(r'Acquire::(?:http|https|Check-[A-Za-z-]+|Retries)\S* "[^"]+";')
_UNUSED = ("doc", "info", "locale", "man")


class CannotBuild(Exception):
    """The image cannot be made on this computer; the sentence says why."""


def missing_tools() -> str:
    """A sentence that says what to install; empty where everything is there."""
    packages = [package for program, package in TOOLS.items() if shutil.which(program) is None]
    if not packages:
        return ""
    return f"The guest needs QEMU and the tools that make its disk: apt install {' '.join(packages)}"


def image_for(checkout: Path, cache: Path) -> Image:
    """The image for this checkout, made if it is not there yet. Raises CannotBuild."""
    suite = _suite()
    image = Image(cache / f"image-{key_of(checkout, suite)}")
    if image.complete:
        return image
    print(f"Building the guest from Debian {suite} (about a minute) ...", file=sys.stderr)
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as directory:
        work = Path(directory)
        work.chmod(0o755)  # without root, mmdebstrap works as another user
        site = _site(checkout, work / "site", PYTHONS[suite])
        made = work / "image"
        made.mkdir()
        _root(suite, site, work, made)
        for old in cache.glob("image-*"):
            shutil.rmtree(old)
        made.rename(image.directory)
    return image


def key_of(checkout: Path, suite: str) -> str:
    """Names an image by everything it is made from."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    parts = [suite, json.dumps(project, sort_keys=True), (checkout / "constraints.txt").read_text()]
    parts += [(HERE / name).read_text() for name in _MADE_FROM]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _suite() -> str:
    release = Path("/etc/os-release")
    said = release.read_text() if release.exists() else ""
    found = re.search(r"^VERSION_CODENAME=(\w+)$", said, re.MULTILINE)
    if found is None or found[1] not in PYTHONS:
        raise CannotBuild(f"The guest is made from Debian's packages, on Debian {' or '.join(PYTHONS)}.")
    return found[1]


def _site(checkout: Path, site: Path, python: str) -> Path:
    """The Python packages: what the project and its simulator need, what tests need, and the project's own entry."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["simulator"], *_TESTING]
    constraint = ["--constraint", str(checkout / "constraints.txt")]
    _pip("--target", site, "--only-binary=:all:", "--python-version", python, *constraint, *needed)
    own = site.with_name("own")
    _pip("--target", own, "--no-deps", checkout)
    for entry in own.glob("posture_companion-*.dist-info"):  # its code is not in the image, its entry points are
        entry.rename(site / entry.name)
    for tests in [path for path in site.rglob("tests") if path.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)  # those of numpy and scipy are a third of them
    return site


def _pip(*arguments: object) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _run([*pip, *map(str, arguments)])


def _root(suite: str, site: Path, work: Path, made: Path) -> None:
    """The root file system, squashed, and what boots it."""
    settings, root = work / "apt.conf", work / "root.tar"
    settings.write_text("\n".join(_apt_settings()) + "\n")
    unused = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _UNUSED]
    hooks = [
        f"copy-in '{site}' /opt",
        f"copy-in '{HERE / 'early-init'}' /boot",
        (HERE / "customise").read_text(),
        'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/etc/apt/sources.list*',
    ]
    options = [
        "--quiet",
        "--variant=essential",
        "--architectures=amd64",
        f"--include={_DEBIAN}",
        f"--aptopt={settings}",
    ]
    options += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', *unused]
    options += [f"--customize-hook={hook}" for hook in hooks]
    _run(["mmdebstrap", *options, suite, str(root), *_sources()])
    with tarfile.open(root) as archive:
        for name in ("vmlinuz", "initrd.gz"):
            found = archive.extractfile(f"./boot/{name}")
            assert found is not None
            (made / name).write_bytes(found.read())
    with root.open("rb") as archive:
        squashing = ["sqfstar", "-quiet", "-no-progress", "-comp", "lz4"]
        _run([*squashing, str(made / "root.squashfs")], archive)


def _sources() -> list[str]:
    """This computer's own list of where Debian's packages come from."""
    places = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
    found = [str(place) for place in places if place.exists() and place.stat().st_size]
    return found[:1]


def _apt_settings() -> list[str]:
    """How this computer's apt reaches those places."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return [line for line in dump.splitlines() if _APT_SETTING.fullmatch(line)]


def _run(command: list[str], stdin: int | IO[bytes] = subprocess.DEVNULL) -> None:
    """Raises CannotBuild with the end of what the command said, without addresses."""
    done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
        said = re.sub(r"\w+://\S+", "<address>", "\n".join(last))
        raise CannotBuild(f"{Path(command[0]).name} ended with {done.returncode}:\n{said}")
