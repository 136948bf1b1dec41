"""Text on its way to a reader, a log or a server: what must not be in it is taken out, what is too long is cut between words.

Everything that is printed or sent passes through `clean_text`: addresses lose their credentials, the secrets of this process's own
variables are replaced wherever they stand, and what moves a cursor, hides a word or turns the line around is shown as its escape.
Many of these texts were written by others: a lineage, a table, a server's answer.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import logging
import os
import re
import shlex
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TextIO
from urllib.parse import unquote

_HIDDEN = "***"
_LONGEST_LINE = 4000  # of a report: a record may hold megabytes in one text
_SECRET_VARIABLES = (
    *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("PGPASSWORD", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_CONNECTION_STRING", "DATABRICKS_TOKEN"),
)
_ADDRESS_VARIABLES = (
    *("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_S3_ENDPOINT_URL"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
)
_SHORTEST_SECRET = 4  # what is shorter stands in words that are none
_SHORTEST_ANYWHERE = 8  # what is shorter counts only where a secret stands: "test" and "cafe" stand in many a text
_BEFORE_SHORT = (
    r"(?:(?<=[=:@])|(?<=[=:]['\"\s])|(?<=[=:]\s['\"])|(?<=['\"]:\s['\"])"
    r"|(?<=(?i:basic)\s)|(?<=(?i:bearer)\s)|(?<=%3[aAdD]))"
)
_MOST_CLEANED = 256 << 10  # letters of one text that are searched; what follows is not shown at all
_MOST_SEARCHED = 512 << 10  # letters in all of a document's texts that may hold an address; further such texts are not shown
_NOT_SHOWN = "… (not shown: more text than is searched for secrets)"
_PIECE = 1 << 20  # letters that are written at once
_MOST_SHOWN = 16 << 10  # of a line, which is cut shorter than that
_LONGEST_ADDRESS = 4096  # so many before a cut may be the beginning of an address whose `@` was cut off
# Of Unicode's categories Cc, Cf, Cs, Zl and Zp all but the two joiners that some scripts are written with.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# A password may hold slashes, as SQLAlchemy takes it; what looks like a port is one only where http, git or a file is spoken.
_SCHEME = r"(?P<scheme>[A-Za-z][\w+.-]{0,30}:)?(?<!/)//(?!/)"
_USERINFO = re.compile(
    rf"{_SCHEME}(?=[^\s@]{{0,1110}}+@)(?:(?P<plain>[^\s/?#]{{0,900}})@"
    r"|(?P<user>[^\s@/:?#\[]{0,200}+):(?P<port>\d{1,5}(?=[/?#]))?(?P<rest>[^\s@]{0,900}+(?:@[^\s@/]{0,200}+){0,9})@(?=[^\s/]))"
)
_ADDRESS_TAIL = re.compile(r"(?P<head>[A-Za-z][\w+.-]{0,30}:/[^\s?#;\"'<>`]{0,900}+)(?P<tail>[;?#][^\s\"'<>`]*)")
_TAIL = re.compile("[;?#]")
# Parameters of an address that are no secret and help whoever reads it.
_OPEN_PARAMETERS = frozenset(
    {
        *("run_id", "run_uuid", "experiment_id", "path", "name", "version", "alias", "max_results", "filter", "order_by"),
        *("workflowtype", "sslmode", "timeout", "mode", "cache", "uri", "charset", "driver", "host", "port"),
        *("sha256", "sha512", "subdirectory", "egg", "viewstatesharekey", "versionid", "generation"),
    }
)
# Outside of addresses: a parameter or a header whose name says that its value is a secret.
_NAMED_SECRET = re.compile(
    rf"(?i)([?&;#](?!(?:{'|'.join(sorted(_OPEN_PARAMETERS))})=)"
    r"(?=[\w.-]{1,100}+=)[\w.-]{0,40}?(?:token|secret|passw|pwd|sig|key|credential|auth|session)[\w.-]{0,40}="
    r"|authorization['\"]?\s*[:=]\s*['\"]?(?:\w+\s+)?)[^\s&;#'\"<>`]+"
)
_HALF_WRITTEN = re.compile(r"[^\s:/@]+:([^\s:/@]+)@")  # user:password@host, its scheme forgotten or without both slashes
_WITH_PORT = ("http:", "https:", "git:", "ftp:", "file:", "s3:", "gs:", "")


def tell(*lines: str) -> None:
    """Print lines on stdout, for whoever asked for them, at once."""
    _write(sys.stdout, lines)


def warn(*lines: str) -> None:
    """Print lines on stderr, for whoever watches, at once; that nobody does any more, or there is no room for words, ends nothing."""
    with contextlib.suppress(OSError, ValueError):
        _write(sys.stderr, lines)


def tell_json(document: Any) -> None:
    """Print a plain value on stdout as JSON, its texts without secrets and controls."""
    text = json.dumps(_Hiding().hide_in(document), indent=2, ensure_ascii=False, default=str)
    escapes = {ord(letter): json.dumps(letter)[1:-1] for letter in set(text) - {"\n"} if _CONTROLS.match(letter)}
    for start in range(0, len(text), _PIECE):  # of a text that is all controls, its escapes would fill the memory
        _write_raw(sys.stdout, text[start : start + _PIECE].translate(escapes), end="")
    _write_raw(sys.stdout, "")


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    for line in lines:
        text = _CONTROLS.sub(_escape, _hide_secrets(line, most=_MOST_SHOWN))
        _write_raw(stream, text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…")


def _write_raw(stream: TextIO, text: str, end: str = "\n") -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True, end=end)


class _Hiding:
    """What is hidden in the texts of one document, and how much in it is searched for addresses: it may hold millions of texts."""

    def __init__(self) -> None:
        self._of_texts, self._of_keys = _find_own_secrets(is_key=False), _find_own_secrets(is_key=True)
        self._left = _MOST_SEARCHED

    def hide_in(self, value: Any) -> Any:
        """Return a plain value with every text in it cleaned of secrets."""
        if isinstance(value, str):
            return self._hide(str(value), self._of_texts)
        if isinstance(value, dict):
            return {self._hide(str(key), self._of_keys): self.hide_in(member) for key, member in value.items()}
        return [self.hide_in(member) for member in value] if isinstance(value, list | tuple) else value

    def _hide(self, text: str, pattern: re.Pattern[str] | None) -> str:
        if _may_hold_address(text):
            self._left -= min(len(text), _MOST_CLEANED)
            if self._left < 0:
                return _NOT_SHOWN
        return _hide_long(text, pattern, _MOST_CLEANED)


def clean_text(text: str) -> str:
    r"""Return a text as one line without credentials, its control characters shown as escapes.

    >>> clean_text("no answer from https://me:secret@host/x\n\x1b[8mIDENTICAL")
    'no answer from https://host/x\\n\\x1b[8mIDENTICAL'
    """
    return _CONTROLS.sub(_escape, _hide_secrets(text))


def clean_recorded(text: str) -> str:
    r"""Return a text as `clean_text` does, but the same in any process: nothing of this one's own variables is looked for in it.

    >>> clean_recorded("https://me:secret@host/x\n")
    'https://host/x\\n'
    """
    shown = text[:_MOST_CLEANED]
    return _CONTROLS.sub(_escape, hide_credentials(shown) if _may_hold_address(shown) else shown)


def clean_lines(text: str) -> list[str]:
    """Return the lines of a text that may have several, each cleaned."""
    return [clean_text(line) for line in _hide_secrets(text).split("\n")]


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return letter.encode("unicode_escape").decode("ascii")


def _hide_secrets(text: str, most: int = _MOST_CLEANED) -> str:
    return _hide_long(text, _find_own_secrets(is_key=False), most)


def _hide_long(text: str, pattern: re.Pattern[str] | None, most: int) -> str:
    if len(text) > most:
        return f"{_hide_in_bounded(text[:most], pattern)[:-_LONGEST_ADDRESS]}…"
    return _hide_in_bounded(text, pattern)


def _hide_in_bounded(text: str, pattern: re.Pattern[str] | None) -> str:
    text = pattern.sub(_HIDDEN, text) if pattern is not None else text
    text = hide_credentials(text) if _may_hold_address(text) else text
    return _NAMED_SECRET.sub(rf"\1{_HIDDEN}", text)


def _may_hold_address(text: str) -> bool:
    return ":/" in text or "//" in text


def _find_own_secrets(is_key: bool) -> re.Pattern[str] | None:
    """Return what matches the secrets of this process's variables as they are now.

    A key is a word of ours: a password that is the same word spoils no document.
    """
    values = tuple(os.environ.get(name, "") for name in (*_SECRET_VARIABLES, *_ADDRESS_VARIABLES))
    return _find_secrets(values, _SHORTEST_ANYWHERE if is_key else _SHORTEST_SECRET)


@functools.lru_cache(maxsize=8)
def _find_secrets(values: tuple[str, ...], shortest: int) -> re.Pattern[str] | None:
    """Return what matches the secrets of some variables, the longest first; the shorter ones only where a secret would stand."""
    secrets = set(values[: len(_SECRET_VARIABLES)])
    for uri in values[len(_SECRET_VARIABLES) :]:
        secrets.update(_list_secrets_of_address(uri))
    secrets |= set(map(unquote, secrets))
    words = sorted((secret for secret in secrets if len(secret) >= shortest), key=lambda word: (-len(word), word))
    patterns = [
        _write_pattern(word) if len(word) >= _SHORTEST_ANYWHERE else rf"{_BEFORE_SHORT}{_write_pattern(word)}(?!\w)" for word in words
    ]
    return re.compile("|".join(patterns)) if patterns else None


def _list_secrets_of_address(uri: str) -> Iterator[str]:
    """Yield what of an address is secret; a word that the rest of the address says too, as in `mlflow:mlflow@db`, is none."""
    open_part = hide_credentials(uri)
    yield from _HALF_WRITTEN.findall(uri) if _USERINFO.search(uri) is None else ()
    for match in _USERINFO.finditer(uri):
        user, _, password = _read_userinfo(match).partition(":")
        if password and password not in (user, unquote(user)) and password not in open_part:
            yield password
            yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
        elif not password and len(user) >= _SHORTEST_ANYWHERE and user not in open_part:  # a token in a user's place
            yield user
    for name, value in re.findall(r"[?&;#]([^=&;#]*)=([^&;#]*)", uri):
        if name.lower() not in _OPEN_PARAMETERS:
            yield value


def _write_pattern(secret: str) -> str:
    """Return what matches a secret with any of its letters percent-encoded, or escaped as in a literal."""
    return "".join(rf"(?:\\?{re.escape(letter)}|(?i:{_percent(letter)}))" for letter in secret)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def _read_userinfo(match: re.Match[str]) -> str:
    if match["plain"] is not None:
        return match["plain"]
    return f"{match['user']}:{match['port'] or ''}{match['rest']}"


def hide_credentials(uri: str) -> str:
    """Return an address without user name, password and token; the user of SSH is part of the address.

    >>> hide_credentials("https://me:p@ss@host/x?access_token=SECRET")
    'https://host/x'
    >>> hide_credentials("postgresql://ml:ab/cd@db:5432/mlflow"), hide_credentials("ssh://git@host:2222/team/repo.git")
    ('postgresql://db:5432/mlflow', 'ssh://git@host:2222/team/repo.git')
    """
    without_user = _USERINFO.sub(_drop_userinfo, uri) if "@" in uri else uri
    return _ADDRESS_TAIL.sub(_close_tail, without_user) if _TAIL.search(without_user) else without_user


def holds_secret(uri: str) -> bool:
    """Tell whether an address names a user with a password, or has a parameter whose name says that its value is a secret.

    >>> holds_secret("https://me:word@host/x"), holds_secret("https://host/x?sig=3f"), holds_secret("https://host/x?raw=1")
    (True, True, False)
    """
    return _USERINFO.sub(_drop_userinfo, uri) != uri or _NAMED_SECRET.search(uri) is not None


def _drop_userinfo(match: re.Match[str]) -> str:
    scheme = match["scheme"] or ""
    if match["port"] and scheme.lower() in _WITH_PORT:  # https://host:8080/@scope
        return match[0]
    if scheme.lower() in ("ssh:", "git+ssh:", "ssh+git:"):
        return f"{scheme}//{_read_userinfo(match).partition(':')[0]}@"
    return f"{scheme}//"


def _close_tail(match: re.Match[str]) -> str:
    """Keep of an address's tail the parameters that are no secret, and a page's place such as `#/experiments/1`."""
    kept = ""
    for sign, part in re.findall(r"([;?#&])([^;?#&]*)", match["tail"]):
        name, is_named, _ = part.partition("=")
        is_open = name.lower() in _OPEN_PARAMETERS if is_named else not part or (sign == "#" and part.startswith("/"))
        kept += (("?" if sign == "&" and "?" not in kept else sign) + part) if is_open else ""
    return match["head"] + kept


def quote_word(word: str) -> str:
    r"""Return a word as a shell takes it, also one with letters that are not shown.

    >>> quote_word("my table.yaml"), quote_word("n\nl.yaml")
    ("'my table.yaml'", "$'n\\nl.yaml'")
    """
    if word.isprintable():
        return shlex.quote(word)
    escaped = [f"\\{letter}" if letter in "'\\" else letter if letter.isprintable() else ascii(letter)[1:-1] for letter in word]
    return f"$'{''.join(escaped)}'"


def escape_markdown(text: str) -> str:
    r"""Return a cleaned text that Markdown shows as it is, be it in the middle of a line or at its beginning.

    >>> print(escape_markdown("a_b <img src=x> [c](javascript:d)"))
    a\_b \<img src=x\> \[c\](javascript:d)
    """
    return re.sub(r"^(\s*)([-+#=]|\d+(?=[.)]))", lambda start: f"{start[1]}{_escape_start(start[2])}", escape_cell(text))


def escape_cell(text: str) -> str:
    r"""Return a cleaned text that Markdown shows as it is in the middle of a line, such as a cell, where a number begins no list.

    >>> print(escape_cell("0.38|x"))
    0.38\|x
    """
    return re.sub(r"([\\`*_\[\]<>|~&!$])", r"\\\1", clean_text(text)).replace("://", "\\://")


def _escape_start(mark: str) -> str:
    return f"\\{mark}" if not mark.isdigit() else f"&#{ord(mark[0])};{mark[1:]}"


def guard_other_output() -> None:
    """Let what libraries log, warn of and leave as the traceback of a thread pass through here on its way to stderr."""
    make_record = logging.getLogRecordFactory()

    def make_clean_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        try:
            record.msg, record.args = "\n".join(clean_lines(record.getMessage())), ()
        except Exception:  # of a message that does not fit its arguments logging itself says so
            return record
        if record.exc_info:
            said = "".join(traceback.format_exception(*record.exc_info))
            record.exc_text, record.exc_info = "\n".join(clean_lines(said.rstrip("\n"))), None
        return record

    logging.setLogRecordFactory(make_clean_record)
    show = warnings.formatwarning
    warnings.formatwarning = lambda *args, **kwargs: "\n".join(clean_lines(show(*args, **kwargs)))
    threading.excepthook = lambda failed: warn(*format_bug(failed.exc_value) if failed.exc_value else [])


def format_bug(error: BaseException) -> list[str]:
    """Return the lines of a bug's traceback, cleaned."""
    return clean_lines("".join(traceback.format_exception(error)).rstrip("\n"))


def list_in_column(label: str, lines: Iterable[str]) -> list[str]:
    """Return the lines of a report's section: the label before the first, the others below it.

    >>> list_in_column("verdict", ["IDENTICAL", "at level V"])
    ['verdict     IDENTICAL', '            at level V']
    """
    return [f"{label if index == 0 else '':11} {line}" for index, line in enumerate(lines)]


def shorten_list(names: Iterable[str], most: int = 5) -> str:
    """Return names as a sentence shows them: a few, and how many more there are.

    >>> shorten_list(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed) if rest <= 0 else f"{', '.join(listed[:most])} and {rest} more"


def quote_key(name: str) -> str:
    """Return a name as YAML takes it for a key or a word, in quotes where it must be.

    >>> quote_key("horsepower"), quote_key("price, EUR")
    ('horsepower', '"price, EUR"')
    """
    is_plain = re.fullmatch(r"[A-Za-z_][\w .-]*", name) is not None and name == name.strip()
    is_plain = is_plain and name.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n") and ": " not in name
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def shorten_text(text: str, most: int = 40) -> str:
    """Return a value's text as a sentence shows it: quoted, on one line, and cut where it is long.

    >>> shorten_text("x" * 50, most=4)
    "'xxxx…'"
    """
    return repr(text if len(text) <= most else f"{text[:most]}…")
