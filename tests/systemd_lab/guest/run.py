"""What the machine does after it has started: the stage that the host has named.

Standard library only, as all of guest/: it runs on the machine's own Python. Its output is the host's to
read, a line a check. Started by checks.service.
"""

import importlib
import subprocess
import sys
import traceback
from pathlib import Path

STAGE = Path("/host/stage")

if __name__ == "__main__":
    stage = STAGE.read_text().strip()
    print(f"# {stage}: {Path('/proc/uptime').read_text().split()[0]} s after the kernel's start")
    try:
        importlib.import_module(f"systemd_lab.guest.{stage}").main()
    except Exception:
        print(f"not ok - {stage} came to its end")
        for line in traceback.format_exc().splitlines():
            print(f"#   {line}")
        sys.stdout.flush()
        subprocess.run(["systemctl", "poweroff", "--force", "--force"])
