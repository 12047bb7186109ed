"""Every setting, once (contract 3). Environment variables, NAME_FILE for secrets, flags of the same name."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """host:port to listen on."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """SKELETON: the attribute names are fixed; the loading is written by its owner."""

    livekit_url: str = ""  # http(s)
    livekit_api_key: str = ""
    livekit_api_secret: str = ""
    livekit_public_url: str = ""  # ws(s)
    mongodb_uri: str = ""  # '' is the embedded server
    mongodb_database: str = "roomctl"
    secret: str = ""  # ROOMCTL_SECRET
    rooms_dir: Path = Path("rooms.d")
    data_dir: Path = Path(".roomctl")
    instance: str = "default"
    public_listen: Address = Address("127.0.0.1", 8080)
    private_listen: Address = Address("127.0.0.1", 8081)
    public_url: str = ""
    resync_seconds: float = 5
    token_ttl_seconds: int = 300
    hidden_requires_token: bool = False
    identity_takeover: str = "prove"
    room_tokens_per_second: int = 200
    address_requests_per_second: int = 500
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    access_tokens_file: Path | None = None
    log_format: str = ""
    log_level: str = "info"
