"""The countries that the account's customers are in: most of them in one, a few in some others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    iso: str
    dialling_code: str
    below: int
    """Customers are drawn from 200 to 989: they are of the first country whose number is greater."""
    prefix: str
    """How its phone numbers begin here."""
    digits: int
    """How many digits follow."""
    mcc: str
    mnc: str
    carriers: tuple[str, ...]


US_CARRIERS = ("AT&T", "T-Mobile USA", "US Cellular", "Verizon Wireless")
HOME = Country("US", "1", 880, "+1", 10, "310", "260", US_CARRIERS)
ABROAD = (
    Country("CA", "1", 920, "+1416555", 4, "302", "610", ("Bell Mobility", "Rogers", "Telus")),
    Country("GB", "44", 950, "+4477009", 5, "234", "15", ("EE", "O2 UK", "Vodafone UK")),
    Country("DE", "49", 968, "+49151555", 5, "262", "01", ("O2 Germany", "Telekom", "Vodafone DE")),
    Country("FR", "33", 980, "+3365555", 5, "208", "01", ("Bouygues", "Free Mobile", "Orange")),
    Country("MX", "52", 990, "+5255555", 5, "334", "020", ("AT&T Mexico", "Telcel")),
)


def phone_number(area: int, subscriber: int) -> str:
    """The number of a customer: `area` is from 200 to 989, `subscriber` has four digits."""
    country = next(each for each in (HOME, *ABROAD) if area < each.below)
    if country is HOME:
        return f"{HOME.prefix}{area}555{subscriber:04d}"
    return country.prefix + f"{area}{subscriber:04d}"[-country.digits :]


def country_of(number: str) -> Country:
    """Where a phone number belongs."""
    return next((each for each in ABROAD if number.startswith(each.prefix)), HOME)
