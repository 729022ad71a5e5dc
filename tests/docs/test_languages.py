"""What `make languages` does with a page: it runs the page as printed, and tells what is wrong with it."""

from pathlib import Path

import pytest
import try_languages

UPDATE = """\
```console
$ mkdir update && cd update
```

```python
# update.py
import json, os, urllib.request

data = json.dumps({"name": "Updated Project Name", "description": ""}).encode()
headers = dict.fromkeys(("Accept", "Content-Type"), "application/json")
headers["Cookie"] = "neptun-session=" + os.environ["NEPTUN_SESSION_COOKIE"]
url = os.environ["NEPTUN_BASE_URL"] + "/api/users/1/projects/789"
with urllib.request.urlopen(urllib.request.Request(url, data, headers, method="PATCH")) as response:
    print(json.load(response)["project"]["name"])
```

```console
$ export NEPTUN_BASE_URL=http://127.0.0.1:8080 NEPTUN_SESSION_COOKIE=a-session
$ python update.py
Updated Project …
```
"""
PAGES = {
    "a page that works": (UPDATE, ""),
    "another output": (UPDATE.replace("Updated Project …", "Renamed …"), "prints 'Updated Project Name\\n'"),
    "a command that fails": (UPDATE.replace("$ python", "$ false && python"), "false && python update.py"),
    "no update": (UPDATE.replace('"PATCH"', '"GET"'), "update.py"),
    "another update": (UPDATE.replace('"description": ""', '"description": "x"'), "the project was not updated"),
}


@pytest.mark.needs("bash")
@pytest.mark.parametrize(("text", "problem"), PAGES.values(), ids=PAGES)
def test_what_is_wrong_with_a_page_is_told(
    text: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_languages, "PAGES", tmp_path)
    (tmp_path / "some.md").write_text(text, encoding="utf-8")
    found = try_languages.problem("some")
    assert problem in found
    assert bool(found) == bool(problem)


def test_every_page_is_tried() -> None:
    pages = {page.stem for page in try_languages.PAGES.glob("*.md")} - {"published-examples"}
    assert pages == set(try_languages.TOOLS)
