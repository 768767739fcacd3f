"""Functions of the standard library whose arguments can never be awaitables."""

from __future__ import annotations

_PLAIN_TAKERS = (
    "base64.", "binascii.", "builtins.bin", "builtins.chr", "builtins.divmod", "builtins.hex",
    "builtins.open", "builtins.ord", "builtins.pow", "builtins.range", "calendar.", "csv.",
    "datetime.", "decimal.", "fnmatch.", "fractions.", "glob.", "gzip.", "hashlib.", "hmac.",
    "html.", "io.BytesIO", "io.StringIO", "ipaddress.", "json.dump", "json.dumps", "json.load",
    "json.loads", "math.",
    "mimetypes.", "ntpath.", "os.chdir", "os.chmod", "os.chown", "os.getenv", "os.kill", "os.link",
    "os.listdir", "os.lstat", "os.makedirs", "os.mkdir", "os.open", "os.path.", "os.putenv",
    "os.readlink", "os.remove", "os.removedirs", "os.rename", "os.replace", "os.rmdir",
    "os.scandir", "os.stat", "os.symlink", "os.truncate", "os.unlink", "os.utime", "os.walk",
    "pathlib.Path", "posixpath.", "re.", "secrets.", "shlex.", "shutil.", "statistics.", "struct.",
    "subprocess.", "textwrap.", "time.", "tomllib.", "urllib.parse.", "uuid.", "zlib.",
)  # fmt: skip
"""By their names; with a dot at its end, all that is in a module."""


def takes_plain_values(name: str) -> bool:
    """Whether a function, by its qualified name, only ever wants plain values."""
    return any(
        name.startswith(each) if each.endswith(".") else name == each for each in _PLAIN_TAKERS
    )
