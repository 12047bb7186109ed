"""What the doctor says of the access tokens' file."""

from pathlib import Path

from controller.cli.checks import Severity
from controller.cli.doctor import about_tokens

DIGEST = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"


def test_without_a_file_it_says_how_to_let_callers_in() -> None:
    result = about_tokens(None)
    assert result.severity is Severity.OK
    assert "ROOMCTL_ACCESS_TOKENS_FILE" in result.text


def test_it_counts_the_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text(f"- token_sha256: {DIGEST}\n  user_id: anna\n")
    result = about_tokens(path)
    assert result.severity is Severity.OK
    assert result.text.startswith("1 access token in ")


def test_a_wrong_file_is_a_failure_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("- token_sha256: secret\n  user_id: anna\n")
    result = about_tokens(path)
    assert result.severity is Severity.FAIL
    assert result.text.startswith(
        "ROOMCTL_ACCESS_TOKENS_FILE: line 1: token_sha256 must be the 64 hex digits"
    )
    assert "secret\n" not in result.text
