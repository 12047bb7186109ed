"""Foreign errors become ours, and name no credentials."""

import pytest
from bson.errors import InvalidBSON
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from controller.errors import StoreConflictError, StoreError, StoreRefusedError, StoreUnavailableError
from controller.records.mongo_client import ServerRespondedError, address, to_store_error, translate_errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AutoReconnect("sesame"), StoreUnavailableError),
        (NotPrimaryError("sesame"), StoreUnavailableError),
        (ServerSelectionTimeoutError("sesame"), StoreUnavailableError),
        (WTimeoutError("sesame"), StoreUnavailableError),
        (ExecutionTimeout("sesame", 50), StoreUnavailableError),
        (InvalidOperation("sesame"), StoreUnavailableError),
        (OperationFailure("sesame", 8), ServerRespondedError),
        (OperationFailure("sesame", 18), StoreRefusedError),
        (OperationFailure("sesame", 13), StoreRefusedError),
        (ConfigurationError("sesame"), StoreRefusedError),
        (InvalidBSON("sesame"), StoreRefusedError),
        (DuplicateKeyError("sesame", 11000), StoreConflictError),
    ],
)
def test_each_error_has_its_kind_and_keeps_its_text_to_itself(
    error: PyMongoError, kind: type[StoreError]
) -> None:
    ours = to_store_error(error, "db:27017")
    assert type(ours) is kind
    assert "sesame" not in str(ours)


def test_an_error_leaves_without_its_cause() -> None:
    with pytest.raises(StoreUnavailableError, match="db:27017") as caught, translate_errors("db:27017"):
        raise AutoReconnect("sesame")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://db:27017", "db:27017"),
        ("mongodb://db", "db"),
        ("mongodb://u:p%40ss@a:1,b:2/admin?replicaSet=x", "a:1,b:2"),
        ("mongodb+srv://u:p@cluster.example/?tls=true", "cluster.example"),
        ("mongodb://db?authMechanismProperties=AWS_SESSION_TOKEN:a@b", "db"),
    ],
)
def test_the_address_holds_no_credentials(uri: str, shown: str) -> None:
    assert address(uri) == shown
