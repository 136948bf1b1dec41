"""Buckets of S3, Google Cloud Storage and Azure, through obstore; the one module that imports it.

Credentials come from where each store's own programs find them: for S3 the variables AWS_… or, with boto3 there, its profiles; for
Google GOOGLE_APPLICATION_CREDENTIALS or what gcloud left; for Azure the variables AZURE_STORAGE_…, which name the account too.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from samebits.errors import DataError, Problem, describe_missing_extra
from samebits.sources.address import Address
from samebits.transfers.origin import Held, Origin

_PIECE_BYTES, _FEW_PIECES = 8 << 20, 2
_RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
T = TypeVar("T")


class Bucket:
    """A bucket, or what lies below a prefix of one.

    Parameters
    ----------
    root
        Such as `s3://name`.
    options
        Of the store, beside what its variables say: `endpoint`, `region`.
    """

    def __init__(self, root: str, options: dict[str, str] | None = None) -> None:
        self.root = root
        if importlib.util.find_spec("obstore") is None:
            raise DataError(describe_missing_extra(root, "what reads buckets", "obstore", "remote"))
        self._store = self.ask("", lambda: _open_store(root, options or {}))

    def ask(self, key: str, call: Callable[[], T]) -> T:
        """Return what a call gives, its failures in words.

        Raises
        ------
        FileNotFoundError
            No such object.
        DataError
            Anything else that went wrong.
        """
        from obstore.exceptions import BaseError

        try:
            return call()
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.root}/{key}") from None
        except (BaseError, ValueError, OSError) as error:
            raise DataError(self._describe(key, error)) from None

    def require(self) -> None:
        """Make sure that the bucket itself is there, as far as whoever asks may list it.

        Raises
        ------
        DataError
            It is not.
        """
        import obstore

        try:
            self.ask("", lambda: next(iter(obstore.list(self._store, chunk_size=1)), None))
        except FileNotFoundError:
            raise DataError(self._describe_missing()) from None
        except DataError as error:
            if "NoSuchBucket" in str(error):
                raise DataError(self._describe_missing()) from None

    def _write(self, key: str, call: Callable[[], object]) -> None:
        try:
            self.ask(key, call)
        except FileNotFoundError:  # an object is made where there is none: it is the bucket
            raise DataError(self._describe_missing()) from None

    def _describe_missing(self) -> Problem:
        return Problem(self.root, "a bucket that is there", "none of that name", "Make it, or check its name.")

    def _describe(self, key: str, error: Exception) -> Problem:
        where, name = f"{self.root}/{key}".rstrip("/"), type(error).__name__
        if name in ("PermissionDeniedError", "UnauthenticatedError"):
            remedy = "See that its own program may read it with the same variables (aws s3 cp, gcloud storage cp, az storage)."
            return Problem(where, "that it may be read", "no permission", remedy)
        said = " ".join(str(error).split("\n\nDebug source")[0].split())[:300]
        return Problem(where, "an answer of the store", said or name, "Check the address, the endpoint and the credentials.")

    def look(self, key: str, version: str | None = None) -> Held:
        """Return what an object is; of a version, or the latest."""
        import obstore

        found = self.ask(key, lambda: obstore.get(self._store, key, options=_take_given(version=version, head=True)).meta)
        return Held(found["size"], found["e_tag"], found["version"])

    def read(self, key: str, version: str | None, held: Held, offset: int) -> tuple[int, Iterator[bytes]]:
        """Return an object's bytes from an offset on, in pieces, and that offset; refused where it changed since it was looked at."""
        import obstore

        options = _take_given(version=version or held.version, if_match=held.tag, range={"offset": offset} if offset else None)
        result = self.ask(key, lambda: obstore.get(self._store, key, options=options))
        return offset, self._read_pieces(key, result)

    def _read_pieces(self, key: str, result: Any) -> Iterator[bytes]:
        stream = iter(result.stream(min_chunk_size=_PIECE_BYTES))
        while (piece := self.ask(key, lambda: next(stream, None))) is not None:
            yield memoryview(piece)  # type: ignore[misc]

    def list_objects(self, prefix: str) -> dict[str, tuple[int, float]]:
        """Return the size in bytes of each object below a prefix, and when it was written, in seconds, by its name without it."""
        import obstore

        batches = self.ask(prefix, lambda: list(obstore.list(self._store, prefix.rstrip("/") or None)))
        items = sorted(
            (str(item["path"]), int(item["size"]), item["last_modified"].timestamp()) for batch in batches for item in batch
        )
        return {path[len(prefix) :]: (size, when) for path, size, when in items if path.startswith(prefix)}

    def put(self, key: str, pieces: Iterator[bytes]) -> None:
        """Write an object, whole or not at all: of few pieces by one request, of more in parts."""
        import obstore

        first = list(itertools.islice(pieces, _FEW_PIECES + 1))
        if len(first) <= _FEW_PIECES:
            whole = b"".join(first)
            del first
            self._write(key, lambda: obstore.put(self._store, key, whole, use_multipart=False))
            return
        parts = itertools.chain(first, pieces)
        self._write(key, lambda: obstore.put(self._store, key, parts, chunk_size=_PIECE_BYTES, max_concurrency=4))

    def delete(self, key: str) -> None:
        """Remove an object."""
        import obstore

        self.ask(key, lambda: obstore.delete(self._store, key))


def _take_given(**options: Any) -> Any:
    return {name: value for name, value in options.items() if value is not None}


def open_object(bucket: Bucket, key: str, version: str | None = None) -> Origin:
    """Return one object as a source."""
    return Origin(f"{bucket.root}/{key}", partial(bucket.look, key, version), partial(bucket.read, key, version))


def open_address(address: Address, options: dict[str, str] | None = None) -> tuple[Bucket, str]:
    """Return the bucket of an address, and the key in it."""
    return Bucket(address.root, options), address.key


def _open_store(root: str, options: dict[str, str]) -> Any:
    from obstore.store import from_url

    settings: dict[str, Any] = {}
    client: dict[str, Any] = {"timeout": "300s", "connect_timeout": "20s"}
    if root.startswith("s3://"):
        endpoint = options.get("endpoint") or next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
        settings = {"endpoint": endpoint} if endpoint else {}
        settings |= {"region": options["region"]} if options.get("region") else {}
        client |= {"allow_http": True} if (endpoint or "").startswith("http://") else {}
        if (provider := _find_profile()) is not None:
            settings["credential_provider"] = provider
    return from_url(root, client_options=client, retry_config=_RETRIES, **settings)


def _find_profile() -> Any:
    """Return boto3's credentials (a profile, single sign-on, the machine's role), where the variables hold none."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or importlib.util.find_spec("boto3") is None:
        return None
    import boto3
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        session = boto3.Session()
        return Boto3CredentialProvider(session) if session.get_credentials() is not None else None
    except BotoCoreError as error:
        raise DataError(Problem("AWS's profile", "credentials", str(error), "Check AWS_PROFILE and ~/.aws.")) from None
