"""Tell whether a file lies on a network share, where locks and commits of a database do not hold."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Final

import psutil

_KINDS: Final = frozenset(
    {"afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3"}
    | {"nfs4", "orangefs", "prl_fs", "smb", "smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "webdav"}
)
_FUSE: Final = ("fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "fuse.s3fs", "fuse.gvfsd", "fuse.ceph", "fuse.davfs")


def share_of(path: Path) -> str:
    """Name the network file system that a path lies on; empty for a disk of this machine, or where it is not known."""
    absolute = path.absolute()
    if str(absolute).startswith(("\\\\", "//")):
        return "a network path"
    try:
        mounts: Sequence[Any] = psutil.disk_partitions(all=True)
        # a folder that is yet to be made lies where its nearest parent does
        place = next(folder for folder in (absolute, *absolute.parents) if folder.exists()).resolve()
    except (OSError, StopIteration, psutil.Error):
        return ""
    return kind_of(place, mounts)


def kind_of(place: PurePath, mounts: Sequence[Any]) -> str:
    """Name the network file system among mounts (`mountpoint`, `fstype`, `opts`) that holds a place."""
    best: tuple[int, Any] | None = None
    for mount in mounts:
        point = type(place)(mount.mountpoint)
        # of two mounts in one place the later one is seen
        if place.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), mount)
    if best is None:
        return ""
    fstype, opts = best[1].fstype.lower(), best[1].opts.split(",")
    remote = fstype in _KINDS or fstype.startswith(_FUSE) or "remote" in opts
    return f"{fstype or 'remote'} at {best[1].mountpoint}" if remote else ""
