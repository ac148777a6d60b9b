"""The wheel of a package that no index has."""

import base64
import hashlib
import zipfile
from pathlib import Path

NAME = "piray-only-on-this-mirror"
PACKAGE = f"{NAME}==1.0"
MODULE = "piray_only_on_this_mirror"
FILE = f"{MODULE}-1.0-py3-none-any.whl"


def write_wheel(folder: Path, code: str = "", version: str = "1.0") -> None:
    """Write the wheel into a folder.

    Args:
        folder: Where it goes.
        code: What its only module holds.
        version: Which one it is.
    """
    info = f"{MODULE}-{version}.dist-info"
    files = {
        f"{MODULE}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD"
    with zipfile.ZipFile(folder / f"{MODULE}-{version}-py3-none-any.whl", "w") as wheel:
        lines = [f"{record},,\n"]
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            lines.append(f"{name},sha256={digest},{len(text)}\n")
            wheel.writestr(name, text)
        wheel.writestr(record, "".join(lines))
