"""The texts of the join page: each language has all of them, and every one of them is used."""

import json
import re
from collections.abc import Iterator

import pytest

from controller.sidecar.pages.assets import FOLDER
from tests.support.page_texts import catalogue

PLURALS = (".one", ".other")
CALL = re.compile(r"""\bt\("([^"]+)\"""")
CALL_WITH_PATTERN = re.compile(r"\bt\(`([^`]+)`")
ATTRIBUTE = re.compile(r'\bdata-t(?:-[a-z-]+)?="([^"]+)"')
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def languages() -> list[str]:
    """As texts.js lists them."""
    (listed,) = re.findall(r"LANGUAGES = (\[.*\])", (FOLDER / "texts.js").read_text(encoding="utf-8"))
    return list(json.loads(listed))


def sources() -> Iterator[str]:
    for path in sorted(FOLDER.glob("*.js")) + sorted(FOLDER.glob("*.html")):
        if not path.name.startswith("texts"):
            yield path.read_text(encoding="utf-8")


def requested() -> set[str]:
    """The keys that scripts and HTML name."""
    return {key for source in sources() for form in (CALL, ATTRIBUTE) for key in form.findall(source)}


def patterns() -> list[re.Pattern[str]]:
    """The keys that scripts put together, as `error.${code}.title`."""
    found = [key for source in sources() for key in CALL_WITH_PATTERN.findall(source)]
    return [re.compile("[A-Za-z_]+".join(map(re.escape, re.split(r"\$\{\w+\}", key)))) for key in found]


def keys_of(name: str) -> set[str]:
    return {name, *(name + plural for plural in PLURALS)}


ENGLISH = catalogue("en")


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("texts-*.js")} == {f"texts-{each}" for each in languages()}


@pytest.mark.parametrize("language", languages())
def test_each_language_has_the_same_texts_with_the_same_placeholders(language: str) -> None:
    placeholders = {key: set(PLACEHOLDER.findall(text)) for key, text in catalogue(language).items()}
    assert placeholders == {key: set(PLACEHOLDER.findall(text)) for key, text in ENGLISH.items()}
    assert list(catalogue(language)) == list(ENGLISH), "in the same order, for whoever compares them"
    assert all(text.strip() == text != "" for text in catalogue(language).values())


def test_each_key_that_is_used_exists() -> None:
    assert {key for key in requested() if not keys_of(key) & ENGLISH.keys()} == set()


def test_each_text_is_used() -> None:
    named = set().union(*map(keys_of, requested()))
    assembled = {key for key in ENGLISH for pattern in patterns() if pattern.fullmatch(key)}
    assert ENGLISH.keys() - named - assembled == set()


def test_a_plural_has_both_forms() -> None:
    stems = {key.removesuffix(plural) for key in ENGLISH for plural in PLURALS if key.endswith(plural)}
    assert {stem + plural for stem in stems for plural in PLURALS} <= ENGLISH.keys()


def test_each_error_has_its_texts_and_each_button_its_label() -> None:
    source = (FOLDER / "errors.js").read_text(encoding="utf-8")
    codes = re.findall(r"^  ([A-Z_]+): \{", source, re.MULTILINE)
    expected = {f"error.{code}.{part}" for code in codes for part in ("title", "text")}
    assert codes
    assert {key for key in ENGLISH if key.startswith("error.")} == expected
    actions = {
        action for listed in re.findall(r"actions: (\[[^\]]*\])", source) for action in json.loads(listed)
    }
    assert {key for key in ENGLISH if key.startswith("action.")} == {f"action.{action}" for action in actions}
