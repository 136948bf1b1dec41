"""Files that hold a secret, by their name or by what stands in them: none of them is kept with a run unless somebody says so.

The patterns are those by which the issuers of tokens let them be found; a word such as "password" counts only where a value is given
to it in a file of settings. A digest that anybody may read must not give a short secret away: such a file has a slow one.
"""

from __future__ import annotations

import fnmatch
import hashlib
import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

SLOW_PREFIX = "scrypt:"
_READ_BYTES = 16 << 20
_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pypirc", ".npmrc", ".yarnrc.yml", ".pgpass", ".my.cnf", ".htpasswd"),
    *(".git-credentials", ".dockercfg", ".dockerconfigjson", ".vault-token", ".boto", ".s3cfg", "rclone.conf"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk", "*.pem", "*.key", "*.p12", "*.pfx", "*.p8"),
    *("*.jks", "*.keystore", "*.ppk", "*.kdbx", "*.kdb", "*.tfstate", "*.tfstate.*", "*.tfvars", "*.ovpn", "*.mobileprovision"),
    *("credentials", "credentials.*", "*_credentials.*", "*-credentials.*", ".credentials", ".credentials.*", "client_secret*.json"),
    *(".renviron", ".passwd", "htpasswd", "passwords.txt", "apikey.*", "api_key.*", "token.json", "auth.json", "*adminsdk*.json"),
    *("*.keychain", "*.keychain-db", "secring.*", ".*_history", "*kubeconfig*", "kube.config", ".databrickscfg", ".cdsapirc"),
    *(".terraformrc", "terraform.rc", "netrc", "token", "token.txt", ".token", "*.token", "password", "password.txt", ".password"),
    *(".secret", ".secret_key", "cookies.txt"),
    *("secrets", "secrets.*", "secret.*", ".secrets", ".secrets.*", "service-account*.json", "service_account*.json", "kaggle.json"),
)
_FOLDERS = (".ssh", ".gnupg", ".aws", ".kube", ".docker", ".azure", ".huggingface")
# Ends of names that say that nothing in it is real, or say nothing.
_BACKUP = re.compile(r"(?<=.)(?:~|\.(?:bak|old|orig|save|backup|copy|tmp|\d))+$")  # of a file, beside it
_SAMPLES = (".example", ".sample", ".template", ".dist")
_SOURCES = (
    *(".py", ".pyx", ".r", ".c", ".h", ".cpp", ".rs", ".go", ".js", ".ts", ".java"),
    *(".jl", ".php", ".rb", ".ps1", ".tf", ".scala", ".kt", ".cs", ".rmd", ".qmd", ".md", ".rst", ".ipynb"),
)
_PATTERNS = {
    "a private key": rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "a key of AWS": rb"(?<![A-Z0-9])(?:AKIA|ASIA|AGPA|AROA)[A-Z2-7]{16}(?![A-Z0-9])",
    "a secret key of AWS": rb"(?i)aws_?secret_?(?:access_?)?key[\"']?\s{0,9}[:=]\s{0,9}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    "a signed address": rb"(?i)[?&](?:x-(?:amz|goog)-signature=[0-9a-f]{64}|sig=[a-z0-9%+/]{40,})",
    "a token of GitHub": rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "a token of GitLab": rb"(?<![A-Za-z0-9_-])gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{20,}",
    "a token of Slack": rb"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+",
    "a key of Google": rb"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    "a token of Google": rb"(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{20,}|(?<![A-Za-z0-9])GOCSPX-[A-Za-z0-9_-]{20,}",
    "a JSON web token": rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "a token of Hugging Face": rb"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,}",
    "a token of PyPI": rb"pypi-AgE[A-Za-z0-9_-]{50,}",
    "a token of npm": rb"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}",
    "a key of a model's provider": rb"(?<![A-Za-z0-9_-])sk-(?:ant-|proj-|svcacct-|or-v1-)?[A-Za-z0-9_-]{32,}",
    "a key of Stripe": rb"(?<![A-Za-z0-9_])[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "a key of SendGrid": rb"(?<![A-Za-z0-9_])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "a token of Databricks": rb"(?<![A-Za-z0-9])dapi[0-9a-f]{32}",
    "a key of a storage account": rb"AccountKey=[A-Za-z0-9+/]{40,}={0,2}",
    "a password in an address": rb"[a-z][a-z0-9+.-]{2,20}://[^\s/:@'\"<>{}$]{1,64}:(?!/)[^\s/@'\"<>{}$*]{3,128}@"
    rb"(?!localhost|127\.|(?:[\w-]+\.)*example\b)[A-Za-z0-9.-]+",
    "a key of Kubernetes": rb"(?m)^[ \t-]*client-key-data:[ \t]*[\"']?[A-Za-z0-9+/]{40,}",
}
_CONTENT = {reason: re.compile(pattern) for reason, pattern in _PATTERNS.items()}
_SETTINGS = (".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".json", ".properties", ".env", ".sh", ".bash", ".zsh", ".xml", ".txt")
_SETTINGS_NAME = re.compile(r"(?:.*\.)?(?:docker|container|make|proc|jenkins)file(?:\..*)?|(?:.*[._-])?env(?:[._-].*)?")
_PROSE = (".md", ".rst", ".sql", ".log", ".out")
_CODE = tuple(suffix for suffix in _SOURCES if suffix not in _PROSE)
# Names that mean a secret and nothing else, and names that often mean something else: what these have must look like one as well.
_SURE = (
    rb"(?:passw(?:or)?d|passphrase|secret_?(?:access_?)?key|api_?key|access_?token|auth_?token|client_?secret|private_?key|"
    rb"(?P<unsure>token|secret|pwd))"
)
# A name is looked back for over so many letters: a file of one line, megabytes long, must not take minutes.
_ASSIGNMENT = re.compile(
    rb"(?im)(?:^|[{,;\[]|^[ \t]*-|\b(?:export|set|env|arg)[ \t]|[ \t](?:-e|--env)[ \t])[ \t]{0,80}[\"']?[\w.-]{0,40}"
    + _SURE
    + rb"[\"']?[ \t]*[=:][ \t]*[\"']?([^\s\"'#,;}\]]{4,})"
)
_INSTRUCTION = re.compile(rb"(?im)^[ \t]*(?:env|arg)[ \t]+\w{0,40}" + _SURE + rb"[ \t]+[\"']?([^\s\"'=]{4,})")
_ELEMENT = re.compile(rb"(?i)[<\s][\w.:-]{0,40}" + _SURE + rb"(?:>\s*|\s*=\s*[\"'])([^<\s\"']{4,})")
_LITERAL = re.compile(
    rb"(?im)(?<![a-z0-9])[\w.]{0,40}"
    + _SURE
    + rb"\\?[\"']?\]?[ \t]*(?::[ \t]*\w+[ \t]*)?(?::?=|:)[ \t]*[bru]?\\?[\"']([^\s\"'{}<>$%\\]{8,})\\?[\"']"
)
# What is handed over in a command, a header or a statement, whatever the file.
_HANDED = {
    "a password in a command": rb"\bcurl(?:[ \t][^\n]{0,200}?)?[ \t](?:-u|--user)[ \t=]{0,9}"
    rb"[\"']?[^\s:\"'$<{]{1,64}:([^\s\"'$<{]{4,128})"
    rb"|\bsshpass[ \t]{1,9}-p[ \t]{0,9}[\"']?([^\s\"'$<{]{4,128})|\bmysql(?:dump|admin)?[ \t][^\n]{0,100}?-p([^\s\"'$<{-]{6,128})"
    rb"|\b[A-Z][A-Z0-9_]{0,40}(?:PASSWORD|TOKEN|SECRET|API_KEY)=([^\s\"'`$<{]{6,128})[ \t]+[a-z]",
    "a password in a connection's words": rb"(?i)\b(?:uid|user(?:[ _]?id)?|host|server)[ \t]?=[^\n\"']{1,160}?[; \t]"
    rb"(?:pwd|password)[ \t]?=[ \t]?([^;\s\"'{}<>$%(),]{4,128})",
    "a token in a header": rb"(?i)\bauthorization[\"']?[ \t]?[:=][ \t]?[\"']?(?:bearer|basic|token)[ \t]([a-z0-9._~+/-]{16,}=*)",
    "a password in a statement": rb"(?i)\b(?:identified[ \t]+by|(?:user|role)[ \t][^\n;]{1,120}?[ \t]password)[ \t]+'([^'\n]{4,128})'",
    "a token in an address": rb"https?://(?:([A-Za-z0-9_-]{20,128})@[A-Za-z0-9-]|[\w.-]{1,99}/t/([a-z]{2}-[0-9a-f-]{36})/)",
}
_HANDED_OVER = {reason: re.compile(pattern) for reason, pattern in _HANDED.items()}
# One of these stands in each of them, in small letters: to look for such first takes a tenth of the time that is spent on a stray
# table that has none.
_LEADS = {
    "a private key": (b"private key",),
    "a key of AWS": (b"akia", b"asia", b"agpa", b"aroa"),
    "a secret key of AWS": (b"secret",),
    "a signed address": (b"-signature=", b"sig="),
    "a token of GitHub": (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    "a token of GitLab": (b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-", b"glsoat-"),
    "a token of Slack": (b"xox", b"hooks.slack.com"),
    "a key of Google": (b"aiza",),
    "a token of Google": (b"ya29.", b"gocspx-"),
    "a JSON web token": (b"eyj",),
    "a token of Hugging Face": (b"hf_",),
    "a token of PyPI": (b"pypi-age",),
    "a token of npm": (b"npm_",),
    "a key of a model's provider": (b"sk-",),
    "a key of Stripe": (b"k_live_", b"k_test_"),
    "a key of SendGrid": (b"sg.",),
    "a token of Databricks": (b"dapi",),
    "a key of a storage account": (b"accountkey=",),
    "a password in an address": (b"://",),
    "a key of Kubernetes": (b"client-key-data:",),
    "a password in a command": (b"curl", b"sshpass", b"mysql", b"password=", b"token=", b"secret=", b"api_key="),
    "a password in a connection's words": (b"pwd", b"password"),
    "a token in a header": (b"authorization",),
    "a password in a statement": (b"identified", b"password"),
    "a token in an address": (b"http",),
}
_HINTS = (b"passw", b"passphrase", b"pwd", b"secret", b"apikey", b"api_key", b"token", b"privatekey", b"private_key")
_PLACEHOLDER = re.compile(rb"(?i)(?:null|none|true|false|nil|changeme|your|example|x{3,}|\*+)[\w*-]*|[<${%!`(\[&*].*")
_SET = "a password or key that is set in it"
_LEAST_BITS = 2.5  # of a letter: what is made by chance has more, words and names less


def find_secret(name: str, path: Path) -> str | None:
    """Return why a file is taken for a secret, as the end of a sentence; None where it is not."""
    return find_secret_name(name) or next(iter(sorted(find_secrets(name, _read_start(path)))), (None, b""))[0]


def find_secret_name(name: str) -> str | None:
    """Return why a file's name says that it holds a secret.

    >>> find_secret_name("app/.env.local"), find_secret_name(".env.example"), find_secret_name("credentials.py")
    ('a secret by its name', None, None)
    """
    parts = PurePosixPath(_BACKUP.sub("", name.lower())).parts or ("",)
    if parts[-1].endswith((*_SAMPLES, *_SOURCES, ".pub")):
        return None
    is_named = any(fnmatch.fnmatchcase(parts[-1], pattern) for pattern in _NAMES) or any(part in _FOLDERS for part in parts[:-1])
    return "a secret by its name" if is_named else None


def find_secrets(name: str, content: bytes) -> set[tuple[str, bytes]]:
    """Return each secret in some bytes, with what it is."""
    small = content.lower()
    likely = {reason for reason, leads in _LEADS.items() if any(lead in small for lead in leads)}
    found = {(reason, match[0]) for reason, pattern in _CONTENT.items() if reason in likely for match in pattern.finditer(content)}
    handed = {reason: pattern for reason, pattern in _HANDED_OVER.items() if reason in likely}
    found |= {(reason, value) for reason, pattern in handed.items() for value in _find_handed(pattern, content)}
    last = PurePosixPath(name.lower()).name
    if not any(hint in small for hint in _HINTS):
        return found
    is_code = last.endswith(_CODE)
    if not is_code and (last.startswith(".") or last.endswith(_SETTINGS) or _SETTINGS_NAME.fullmatch(last)):
        found |= {(_SET, value) for value in _find_assigned(_ASSIGNMENT, content)}
    if "file" in last:
        found |= {(_SET, value) for value in _find_assigned(_INSTRUCTION, content)}
    if last.endswith((".xml", ".config")):
        found |= {(_SET, value) for value in _find_assigned(_ELEMENT, content)}
    if is_code or last.endswith(_PROSE):
        found |= {(_SET, value) for value in _find_assigned(_LITERAL, content) if _looks_made(value, 8)}
    if last.endswith(_PROSE):
        found |= {(_SET, value) for value in _find_assigned(_ASSIGNMENT, content) if _looks_made(value, 8) and b"(" not in value}
    return found


def _find_assigned(pattern: re.Pattern[bytes], content: bytes) -> Iterator[bytes]:
    for match in pattern.finditer(content):
        groups = match.groupdict()
        value = match[match.lastindex or 0]
        is_sure = not any(groups.values())
        if not _PLACEHOLDER.fullmatch(value) and b"://" not in value and (is_sure or _looks_made(value, 12)):
            yield value


def _find_handed(pattern: re.Pattern[bytes], content: bytes) -> Iterator[bytes]:
    values = (match[match.lastindex or 0] for match in pattern.finditer(content))
    return (value for value in values if not _PLACEHOLDER.fullmatch(value) and _looks_made(value, 6))


def _looks_made(value: bytes, least_bytes: int) -> bool:
    """Tell whether a value looks like a secret rather than a word, a name or a path: it has letters and figures, well mixed.

    >>> _looks_made(b"customer_id", 8), _looks_made(b"hunter22x", 8), _looks_made(b"aaaaaaaaaaa1", 8)
    (False, True, False)
    """
    counts = [value.count(letter) / len(value) for letter in set(value)]
    bits = -sum(share * math.log2(share) for share in counts)
    is_mixed = re.search(rb"\d", value) is not None and re.search(rb"[A-Za-z]", value) is not None
    return len(value) >= least_bytes and is_mixed and bits >= _LEAST_BITS


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_READ_BYTES)


def digest_slowly(name: str, digest: str) -> str:
    """Return a digest that takes about a tenth of a second to compute: whoever guesses a short secret must pay that for each guess."""
    made = hashlib.scrypt(
        digest.encode("ascii"), salt=PurePosixPath(name).name.encode("utf-8", "surrogateescape"), n=1 << 15, r=8, p=1, maxmem=64 << 20
    )
    return SLOW_PREFIX + made[:32].hex()
