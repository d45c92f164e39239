"""Run a command on a terminal of 80 columns, and return what is seen there."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from end_to_end import environment


def seen(*arguments: str, cwd: Path) -> list[str]:
    """Return the lines that a command writes to a real terminal, without colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    said = bytearray()
    command = [sys.executable, "-m", "importer", *arguments]
    with subprocess.Popen(command, cwd=cwd, env=environment(cwd, TERM="xterm"), stdout=theirs) as process:
        os.close(theirs)
        while True:
            try:
                more = os.read(ours, 65_536)
            except OSError:
                break
            said += more
            if not more:
                break
        process.wait(timeout=60)
    os.close(ours)
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in said.decode().splitlines()]
