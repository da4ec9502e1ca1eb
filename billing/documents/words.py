"""Amounts in words, as a bill says them. Pure but for the libraries that know numerals and currencies."""

from __future__ import annotations

from decimal import Decimal

from core.money import places, to_minor


def in_words(amount: Decimal, currency: str, language: str) -> str:
    """``Eight baht and twenty-five satang``, ``แปดบาทยี่สิบห้าสตางค์``; other currencies: units, then ``50/100``.

    ``amount`` is not negative and has no more places than the currency (``ValueError``).
    """
    minor = to_minor(amount, currency)
    if minor < 0:
        raise ValueError(f"{amount} is negative")
    units, rest = divmod(minor, 10 ** places(currency))
    thai = language.startswith("th")
    if currency == "THB":
        return _thai_baht(amount) if thai else _english_baht(units, rest)
    return _thai(units, rest, currency) if thai else _english(units, rest, currency)


def _number(value: int, language: str) -> str:
    from num2words import num2words

    return str(num2words(value, lang=language))


def _thai_baht(amount: Decimal) -> str:
    from num2words import num2words

    return str(num2words(amount, lang="th", to="currency", currency="THB"))


def _english_baht(baht: int, satang: int) -> str:
    parts = [f"{_number(baht, 'en')} baht"] if baht or not satang else []
    if satang:
        parts.append(f"{_number(satang, 'en')} satang")
    return _capital(" and ".join(parts))


def _english(units: int, rest: int, currency: str) -> str:
    from babel.numbers import get_currency_name

    name = get_currency_name(currency, count=1 if units == 1 and not rest else 2, locale="en_GB")
    return _capital(f"{_number(units, 'en')}{_fraction(rest, currency, ' and ')} {name}")


def _thai(units: int, rest: int, currency: str) -> str:
    from babel.numbers import get_currency_name

    return f"{_number(units, 'th')}{_fraction(rest, currency, ' และ ')} {get_currency_name(currency, locale='th_TH')}"


def _fraction(rest: int, currency: str, joined: str) -> str:
    decimals = places(currency)
    return f"{joined}{rest:0{decimals}d}/{10**decimals}" if rest else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
