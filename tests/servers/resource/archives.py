"""Archives as registries serve them."""

import gzip
import io
import tarfile


def tar_gz(files):
    """A .tar.gz of these names and contents, the same at each start."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)
