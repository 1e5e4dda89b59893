"""The business that owns the pretend account: its people, connections, profiles and addresses.

Everything else (numbers, charges, audit events, deliveries, records) refers to what stands here, so
that an answer of one operation can be understood with the answer of another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

DOMAIN = "northwind-parcels.example"
TYPO_DOMAIN = "northwind-parcles.example"

MESSAGING_URL = f"https://hooks.{DOMAIN}/telnyx/messaging"
VOICE_URL = f"https://ivr.{DOMAIN}/telnyx/voice"
CODES_URL = f"https://auth.{DOMAIN}/telnyx/2fa"
CODES_URL_TYPO = f"https://auth.{TYPO_DOMAIN}/telnyx/2fa"
CAMPAIGN_URL = f"https://crm.{DOMAIN}/hooks/telnyx"
# A URL that carries a password, as some customers' do: whoever shows it has to mask it.
FAX_URL = f"https://svc-fax:Fax-Pa55-0rchid@fax.{DOMAIN}/inbound"

NUMBER_TAGS = ("depot-east", "depot-west", "dispatch", "marketing", "support")
OUTBOUND_PROFILE_TAGS = ("contact-centre", "international", "warehouse")


def uuid_from(rng: random.Random) -> str:
    """A version-4 UUID; several times faster than by way of `uuid.UUID`."""
    bits = f"{rng.getrandbits(128):032x}"
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def stable_uuid(seed: int, name: str) -> str:
    """The same UUID for the same seed and name, on every machine."""
    return uuid_from(random.Random(f"{seed}:uuid:{name}"))


def stable_digits(seed: int, name: str, length: int = 19) -> str:
    """The same number-like id (as connections have) for the same seed and name."""
    first = 10 ** (length - 1)
    return str(random.Random(f"{seed}:digits:{name}").randrange(first, 2 * first))


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str
    role: str
    """As `change_made_by` of an audit event tells it."""


@dataclass(frozen=True, slots=True)
class Connection:
    id: str
    name: str
    tags: str
    webhook_url: str


@dataclass(frozen=True, slots=True)
class MessagingProfile:
    id: str
    name: str
    webhook_url: str


@dataclass(frozen=True, slots=True)
class Business:
    """Who and what the account consists of; the same for the same seed."""

    seed: int
    organization_id: str = field(init=False)
    owner: User = field(init=False)
    operations: User = field(init=False)
    developer: User = field(init=False)
    telnyx: User = field(init=False)
    connections: tuple[Connection, ...] = field(init=False)
    profiles: tuple[MessagingProfile, ...] = field(init=False)

    def __post_init__(self) -> None:
        people = {
            "owner": ("olivia.brandt", "account_owner"),
            "operations": ("marco.silva", "organization_member"),
            "developer": ("priya.nair", "organization_member"),
            "telnyx": ("support", "telnyx"),
        }
        for name, (local_part, role) in people.items():
            domain = "telnyx.example" if role == "telnyx" else DOMAIN
            user = User(self.uuid(f"user:{name}"), f"{local_part}@{domain}", role)
            object.__setattr__(self, name, user)
        object.__setattr__(self, "organization_id", self.uuid("organization"))
        object.__setattr__(
            self,
            "connections",
            (
                self._connection("Contact centre", "contact-centre", VOICE_URL),
                self._connection("Warehouse SIP trunk", "warehouse", VOICE_URL),
                self._connection("International desk", "international", VOICE_URL),
            ),
        )
        object.__setattr__(
            self,
            "profiles",
            (
                self._profile("Delivery notices", MESSAGING_URL),
                self._profile("Two-factor codes", CODES_URL),
                self._profile("Spring campaign", CAMPAIGN_URL),
            ),
        )

    @property
    def users(self) -> tuple[User, ...]:
        """Everyone who appears in the audit events."""
        return (self.owner, self.operations, self.developer, self.telnyx)

    def uuid(self, name: str) -> str:
        """A stable UUID of this account."""
        return stable_uuid(self.seed, name)

    def _connection(self, name: str, tags: str, url: str) -> Connection:
        return Connection(stable_digits(self.seed, f"connection:{name}"), name, tags, url)

    def _profile(self, name: str, url: str) -> MessagingProfile:
        return MessagingProfile(self.uuid(f"profile:{name}"), name, url)
