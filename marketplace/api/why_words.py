"""The stable words of `why`, as sentences. Programs read the word, people the problem's `detail`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_MOST: Final = 5

WHY_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # The rules of a fee schedule, and its dates.
        "no_rules": "there must be a rule",
        "too_many_rules": "there are too many rules",
        "rule_id_shape": "an id is lower-case letters, digits and hyphens, beginning with a letter",
        "rule_id_repeated": "another rule has this id",
        "rules_after_catch_all": "this rule matches everything, so no rule after it is ever asked",
        "no_catch_all": "the last rule must match everything: leave its `when` out",
        "never_matches": "rules before it match everything that this one would",
        "basis_points_outside": "basis points are 0 to 10000",
        "floor_above_cap": "the floor is above the cap",
        "empty": "it is empty",
        "repeated": "it is there twice",
        "currency_unknown": "we do not know this currency; they are three lower-case letters",
        "currency_never_matches": "the rule is not for this currency",
        "currency_not_named": "the rule is for this currency too: say its amount, 0 if there is none",
        "amount_without_currency": "an amount is of a currency: name it in `when.currencies`",
        "amount_outside": "the amount is out of range",
        "amount_not_whole": "Stripe takes whole units of this currency only",
        "amount_range_empty": "the range of amounts is empty",
        "time_without_zone": "a time needs its zone, such as Z",
        "date_window_empty": "the window ends before it begins",
        "no_tiers": "there must be a tier",
        "too_many_tiers": "there are too many tiers",
        "first_tier_not_from_zero": "the first tier begins at 0",
        "tiers_not_ascending": "each tier begins above the one before",
        "seller_unknown": "there is no such seller",
        "in_the_past": "it lies in the past",
        "in_the_future": "it lies in the future",
        "not_after_effective_from": "it must be after `effective_from`",
        "not_after_starts_at": "it must be after `starts_at`",
        "not_after_since": "the range must end after it begins",
        "too_long_ago": "it is too long ago",
        "one_of_draft_and_schedule": "give either `draft_id` or `schedule_id`",
        "not_the_sellers": "it is not the seller's currency",
        # The fee review.
        "needs_currency": "amounts are sorted within one currency: give `currency`",
        "takes_too_long": "what fits is too far apart among all fees to be found in time: give `from` and "
        "`to` of some months",
        "one_filter_only": "sums are kept by one of seller, category and rule at a time",
        "ends_before_it_begins": "the range ends before it begins",
        # Kill switches.
        "missing": "it is required here",
        "unknown": "there is no such thing",
        "unneeded": "leave it out: the scope is all",
        "past": "it lies in the past",
        # Adjustments of the books.
        "account_not_adjustable": "only the accounts in `accounts` are adjusted by hand",
        "amount": "the amount is out of range",
        "one_account": "source and target are the same account",
        "two_sellers": "money is not moved between two sellers",
        "seller_needed": "say whose it is: one of the accounts, or `order_id`",
        "seller_differs": "the order is of another seller",
        "currency_differs": "it is not the currency of the seller or of the order",
        "order_not_paid": "nothing was paid for this order",
        # Retiring a version of the fee rules.
        "retired": "it was retired before",
        "over": "it is over",
        "last_one": "it is the last version without an end: no order could be priced after it",
        # Papers, and who issues them.
        "no_issuer": "name who issues papers first",
        "not_over": "the month, or the hour after it, is not over",
        "before_first": "papers begin with a later month",
        "earlier_month_open": "the months before it are not issued yet",
        "books_not_sealed": "the worker is still sealing the ledger: try again in a minute",
        "no_movement": "nothing moved for this seller in that month",
        "cannot_be_computed": "this seller's papers cannot be computed: the log says why, and they are "
        "tried again",
        "month_fixed": "a month was closed already, so papers keep their first one",
        "month_to_come": "papers begin with a month that has begun",
        # Tax details.
        "text": "visible characters only, and not too many",
        "country": "we do not know this country; they are two capital letters (ISO 3166)",
        "number": "a number is letters, digits and what separates them",
        "vat_number": "a VAT number begins with its country's letters",
        "iban": "its check digits do not fit (ISO 13616)",
        "birth_date": "a birth is a day of the past, after 1900",
        "needed_for_individuals": "it is needed of an individual",
        "needed_for_entities": "it is needed of an entity",
        "for_individuals_only": "only individuals have it",
        "for_entities_only": "only entities have it",
        "too_many": "there are too many",
    }
)


def words_of(error: Any) -> str:
    """Why an error with a `why`, or with several `problems`, came to be."""
    problems = getattr(error, "problems", None)
    if problems is None:
        return _words(error.why)
    told = [f"{one.path}: {_words(one.why)}" for one in problems[:_MOST]]
    more = len(problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "") + "."


def _words(why: str) -> str:
    return WHY_WORDS.get(why, why.replace("_", " "))
