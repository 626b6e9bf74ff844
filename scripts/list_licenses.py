"""Write docs/LICENSES.md: what requirements.txt brings, and under which license.

python scripts/list_licenses.py
"""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "LICENSES.md"
SHORT = 60  # characters of a name
HEAD = """# Licenses of what is installed with this project

From the packages' own metadata, with all that they need on Linux. Not listed: what PyPI's torch
brings for NVIDIA GPUs (NVIDIA's own licenses), and what only tests and benchmarks use.

| package | version | license |
| --- | --- | --- |
"""


def license(package: Distribution) -> str:
    """What a package says of its license: an expression, a short name, else its classifiers."""
    meta = package.metadata
    said = str(meta.json.get("license_expression") or meta.json.get("license") or "").strip()
    if said and len(said) <= SHORT and "Copyright" not in said:
        return said
    classifiers = meta.get_all("Classifier") or []
    named = [row.rpartition(" :: ")[2] for row in classifiers if row.startswith("License ::")]
    return " / ".join(named) or said.partition("\n")[0][:SHORT] or "not said"


def needed(names: list[str]) -> dict[str, Distribution]:
    """The packages of these names and all that they need here, by name."""
    found: dict[str, Distribution] = {}
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in found or name.startswith("nvidia-") or name == "triton":
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another system
        asked = map(Requirement, found[name].requires or [])
        names += [one.name for one in asked if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def main() -> None:
    """Write the list."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = needed([line.partition("==")[0] for line in lines if line and line[0] != "#"])
    rows = [
        f"| {name} | {found[name].version} | {license(found[name])} |" for name in sorted(found)
    ]
    OUT.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
