"""One boot of the guest: QEMU as software emulation, one processor, two shared directories, no network.

Knows: QEMU's command line, the files through which the guest's init talks. Must never know: what is
tested, what follows.

The guest sees the checkout (read-only) and a directory of the run, in which it leaves `ready`, `status`, `output.log`
and the logs of its kernel and of bluetoothd. More than one emulated processor makes some kernels fall over at boot.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from guest_verdict import Boot

READY_WITHIN_S = 90.0  # a busy machine needs 30 s; a quiet one 10 s
MEMORY_MB = 768
_LOOK_EVERY_S = 0.2
# Time from the chipset: the emulated processor's own clock is measured at boot, too fast where the host was busy then.
_KERNEL = "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on clocksource=acpi_pm"


@dataclass(frozen=True, slots=True)
class Image:
    """What was built: a kernel, its first file system and the system's own, in one directory."""

    directory: Path

    @property
    def parts(self) -> tuple[Path, Path, Path]:
        """Kernel, initramfs, root file system."""
        return self.directory / "vmlinuz", self.directory / "initrd.gz", self.directory / "root.squashfs"

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(part.is_file() for part in self.parts)


def boot(image: Image, checkout: Path, run: Path, *, limit_s: float) -> Boot:
    """Boot, let init run `run/command`, show its output as it comes; the guest has `limit_s` from ready on."""
    for name in ("ready", "status", "output.log"):
        (run / name).unlink(missing_ok=True)
    with (run / "qemu.log").open("wb") as said:
        process = subprocess.Popen(_command(image, checkout, run), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            overdue = _follow(process, run, limit_s)
        finally:
            process.kill()
            process.wait()
    return Boot((run / "ready").exists(), _status(run / "status"), overdue)


def _command(image: Image, checkout: Path, run: Path) -> list[str]:
    kernel, initrd, root = image.parts
    return [
        *("qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MB)),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", f"file:{run}/console.log"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", _KERNEL),
        *("-drive", f"file={root},format=raw,if=virtio,readonly=on", "-device", "virtio-rng-pci"),
        *("-fsdev", f"local,id=checkout,path={checkout},security_model=none,readonly=on"),
        *("-device", "virtio-9p-pci,fsdev=checkout,mount_tag=checkout"),
        *("-fsdev", f"local,id=out,path={run},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=out,mount_tag=out"),
    ]


def _follow(process: "subprocess.Popen[bytes]", run: Path, limit_s: float) -> bool:
    """Show the output until the guest has ended; whether it had to be ended because its time was up."""
    shown, deadline_s, ready = 0, time.monotonic() + READY_WITHIN_S, False
    while process.poll() is None:
        shown = _show(run / "output.log", shown)
        if not ready and (run / "ready").exists():
            ready, deadline_s = True, time.monotonic() + limit_s
        if time.monotonic() > deadline_s:
            return True
        time.sleep(_LOOK_EVERY_S)
    _show(run / "output.log", shown)
    return False


def _show(log: Path, shown: int) -> int:
    """Copy what is new in a log to stdout; how much of it has been shown then."""
    if not log.exists():
        return shown
    with log.open("rb") as file:
        file.seek(shown)
        new = file.read()
    sys.stdout.write(new.decode(errors="replace"))
    sys.stdout.flush()
    return shown + len(new)


def _status(path: Path) -> int | None:
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else None
