"""The wheel of a package that no index has."""

import base64
import hashlib
import zipfile
from pathlib import Path

PACKAGE = "piray-only-on-this-mirror==1.0"


def write_wheel(folder: Path) -> None:
    """Write the wheel into a folder."""
    files = {
        "piray_only_on_this_mirror.py": "",
        "piray_only_on_this_mirror-1.0.dist-info/METADATA": "Metadata-Version: 2.1\n"
        "Name: piray-only-on-this-mirror\nVersion: 1.0\n",
        "piray_only_on_this_mirror-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "piray_only_on_this_mirror-1.0.dist-info/RECORD"
    with zipfile.ZipFile(folder / "piray_only_on_this_mirror-1.0-py3-none-any.whl", "w") as wheel:
        lines = [f"{record},,\n"]
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            lines.append(f"{name},sha256={digest},{len(text)}\n")
            wheel.writestr(name, text)
        wheel.writestr(record, "".join(lines))
