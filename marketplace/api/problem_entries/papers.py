"""How the errors of papers and of tax are told."""

from marketplace.api.problem_answers import NOT_FOUND, Answer, Table
from marketplace.papers import errors as papers
from marketplace.tax import errors as tax

PAPERS: Table = {
    papers.PaperNotFound: Answer(404, "paper_not_found", NOT_FOUND),
    papers.PaperMonthRefused: Answer(
        409,
        "paper_month_refused",
        "No papers can be issued of this month now",
        ("month", "why"),
        "{month}: {why_words}.",
    ),
    papers.IssuerRefused: Answer(
        422,
        "paper_issuer_refused",
        "This cannot be who issues papers",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    tax.TaxDetailsRefused: Answer(
        422,
        "tax_details_refused",
        "These tax details cannot be right",
        ("path", "why"),
        "{path}: {why_words}.",
    ),
    tax.TaxYearRefused: Answer(
        404, "tax_year_not_found", "There is no report of this year", ("year",)
    ),
    tax.AsOfRefused: Answer(
        422,
        "as_of_refused",
        "The figures of that moment are not known",
        ("as_of",),
        "A moment that has come; and what changed since is asked from an earlier moment.",
    ),
}
