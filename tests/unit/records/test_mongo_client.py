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
from controller.records.mongo_client import (
    ServerRespondedError,
    address,
    connect,
    to_store_error,
    translate_errors,
)


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


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            'No replica set members available for replica set name "sesame"',
            "does not belong to the replica set",
        ),
        ("SSL handshake failed: db:1: [SSL: WRONG_VERSION_NUMBER] sesame", "remove tls=true"),
        ("SSL handshake failed: db:1: certificate verify failed: sesame", "certificate is not trusted"),
        ("sesame:1: [Errno -2] Name or service not known", "unknown host"),
        ("sesame:1: [Errno -3] Temporary failure in name resolution", "cannot be resolved"),
        ("sesame:1: [Errno 111] Connection refused", "connection refused"),
        ("sesame:1: timed out", "no answer in time"),
        ("sesame:1: connection closed", "add tls=true"),
    ],
)
def test_a_server_out_of_reach_is_said_with_its_cause(text: str, cause: str) -> None:
    shown = str(to_store_error(ServerSelectionTimeoutError(text), "db:1"))
    assert shown.startswith("cannot connect to MongoDB at db:1: ")
    assert cause in shown
    assert "sesame" not in shown


def test_a_name_that_dns_does_not_know_is_no_wrong_option() -> None:
    unknown = ConfigurationError("The DNS query name does not exist: _mongodb._tcp.sesame.")
    ours = to_store_error(unknown, "sesame")
    assert type(ours) is StoreUnavailableError
    assert "cannot be resolved" in str(ours)


@pytest.mark.parametrize("option", ["tlsCAFile", "tlsCertificateKeyFile"])
def test_a_file_that_cannot_be_read_is_said_without_credentials(option: str) -> None:
    with pytest.raises(StoreRefusedError, match="TLS options: no such file or directory") as caught:
        connect(f"mongodb://u:sesame@db/?tls=true&{option}=/none/there.pem")
    assert "sesame" not in str(caught.value)


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
