"""What a buyer is told of a card that did not pay: never whether it was lost, stolen or only declined."""

import pytest

from marketplace.api.problem_table import answer_to
from payments.errors import CardDeclined, CardNotToBeRetried


@pytest.mark.parametrize("secret", ["lost_card", "stolen_card", "fraudulent"])
def test_a_second_no_tells_a_stolen_card_from_a_plain_one_as_little_as_the_first(
    secret: str,
) -> None:
    plain = answer_to(CardDeclined("card_declined", decline_code="generic_decline"))
    first = CardDeclined("card_declined", decline_code=secret, advice_code="do_not_try_again")
    assert plain is not None
    assert plain.status == 402
    assert plain.data == {"same_card": False}
    assert answer_to(first) == plain
    assert answer_to(CardNotToBeRetried("card_declined")) == plain
