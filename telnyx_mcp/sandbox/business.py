"""The business that owns the sandbox account: its users, connections, profiles and URLs.

Everything else (numbers, charges, audit events, deliveries, records) refers to these, so that the answers
of different operations fit together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

DOMAIN = "northwind-parcels.example"
TYPO_DOMAIN = "northwind-parcles.example"

MESSAGING_URL = f"https://hooks.{DOMAIN}/telnyx/messaging"
VOICE_URL = f"https://ivr.{DOMAIN}/telnyx/voice"
CODES_URL = f"https://auth.{DOMAIN}/telnyx/2fa"
CODES_URL_TYPO = f"https://auth.{TYPO_DOMAIN}/telnyx/2fa"
CAMPAIGN_URL = f"https://crm.{DOMAIN}/hooks/telnyx"
# A URL with a password, as some customers have: it must be masked wherever it is shown.
FAX_URL = f"https://svc-fax:Fax-Pa55-0rchid@fax.{DOMAIN}/inbound"

NUMBER_TAGS = ("depot-east", "depot-west", "dispatch", "marketing", "support")
OUTBOUND_PROFILE_TAGS = ("contact-centre", "international", "warehouse")


def uuid_from(rng: random.Random) -> str:
    """A version-4 UUID; several times faster than `uuid.UUID`."""
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
    """As `change_made_by` of an audit event shows it."""


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


class Business:
    """The users, connections and profiles of the account; identical for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.organization_id = self.uuid("organization")
        self.owner = self._user("owner", f"olivia.brandt@{DOMAIN}", "account_owner")
        self.operations = self._user("operations", f"marco.silva@{DOMAIN}", "organization_member")
        self.developer = self._user("developer", f"priya.nair@{DOMAIN}", "organization_member")
        self.telnyx = self._user("telnyx", "support@telnyx.example", "telnyx")
        self.connections = (
            self._connection("Contact centre", "contact-centre", VOICE_URL),
            self._connection("Warehouse SIP trunk", "warehouse", VOICE_URL),
            self._connection("International desk", "international", VOICE_URL),
        )
        self.profiles = (
            self._profile("Delivery notices", MESSAGING_URL),
            self._profile("Two-factor codes", CODES_URL),
            self._profile("Spring campaign", CAMPAIGN_URL),
        )

    def uuid(self, name: str) -> str:
        """A stable UUID of this account."""
        return stable_uuid(self.seed, name)

    def _user(self, name: str, email: str, role: str) -> User:
        return User(self.uuid(f"user:{name}"), email, role)

    def _connection(self, name: str, tags: str, url: str) -> Connection:
        return Connection(stable_digits(self.seed, f"connection:{name}"), name, tags, url)

    def _profile(self, name: str, url: str) -> MessagingProfile:
        return MessagingProfile(self.uuid(f"profile:{name}"), name, url)
