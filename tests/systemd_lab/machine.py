"""A virtual machine with a kernel of its own and a real systemd: User-Mode Linux, an ordinary program.

It needs neither KVM nor anything of this machine's cgroups, and has what containers here may lack: cgroup v2
with a memory controller. The directory it is given appears inside as /host. What it writes to its disk lands
in a file beside the image, so the image stays as it was made. Used by __main__.py.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from gangerd.linux import processes


class Machine:
    def __init__(self, kernel: str, image: Path, share: Path, scratch: Path, memory: str = "768M") -> None:
        self._kernel = kernel
        self._image = image
        self._share = share
        self._scratch = scratch
        self._memory = memory
        self._changes = scratch / "disk"
        self.console = scratch / "console"
        self._process: subprocess.Popen[bytes] | None = None

    def power_on(self) -> None:
        """Start it, or start it again with the disk as it was left."""
        ram = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(self._scratch)
        control = self._scratch / "uml"
        shutil.rmtree(control, ignore_errors=True)
        control.mkdir()
        words = [f"mem={self._memory}", f"ubd0={self._changes},{self._image}", "root=/dev/ubda", "rw"]
        words += [f"hostfs={self._share}", f"uml_dir={control}/", "umid=lab"]
        words += ["con=null", "con0=null,fd:1", "console=tty0", "quiet", "loglevel=4"]
        words += ["systemd.show_status=0", "TERM=dumb"]
        parent = os.getpid()
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                [self._kernel, *words],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "TMPDIR": ram},
                start_new_session=True,
                preexec_fn=lambda: processes.die_with_parent(parent, signal.SIGKILL),
            )

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cut_power(self) -> None:
        """Everything in its memory is gone at once."""
        if self._process is None:
            return
        # The kernel is one process, the guest's processes are others: all are in this session's group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
