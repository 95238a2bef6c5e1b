"""Indexes of the fees somebody looks for among ten million: what is odd, in part, returned or reviewed; and
of the postings of one account.

Each holds only those, and there is one for each order in which a list is read: a list that walks along all
fees until it has found a page of the few would not come back.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from payments.database import execute

ID = "2026-11-21T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes of the fees that are few, and of an account's postings"

FEW = {
    "flagged": "anomalies <> '{}'",
    "in_part": "captured < gross",
    "returned": "fee_returned > 0",
    "returned_in_part": "fee_returned > 0 AND fee_returned < fee_taken",
    "marked": "reviewed_at IS NOT NULL",
}
ORDERS = {
    "by_fee": "currency, fee_taken, payment_id",
    "by_margin": "currency, net, payment_id",
    "by_rate": "rate_basis_points, payment_id",
}
STATEMENTS = [
    *(
        f"CREATE INDEX fee_reviews_{few}_{order} ON fee_reviews ({columns}) WHERE {condition}"
        for few, condition in FEW.items()
        for order, columns in ORDERS.items()
    ),
    "CREATE INDEX fee_reviews_returned_in_part ON fee_reviews (captured_at, payment_id) "
    f"WHERE {FEW['returned_in_part']}",
    "CREATE INDEX fee_reviews_of_anomaly ON fee_reviews USING gin (anomalies) "
    f"WHERE {FEW['flagged']}",
    "CREATE INDEX fee_anomalies_of_code ON fee_anomalies (code, found_at, id) "
    "WHERE resolved_at IS NULL",
    # The postings of an account: a seller's, and one that few postings have.
    "CREATE INDEX postings_of_seller_by_id ON postings (seller_id, id)",
    *(
        f"CREATE INDEX postings_of_few_by_{side} ON postings ({side}, id) WHERE {side} NOT IN "
        f"('buyers', 'platform:fees', 'stripe:processing') AND {side} NOT LIKE 'seller:%'"
        for side in ("source", "target")
    ),
]


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="marketplace", description=DESCRIPTION)

    async def run() -> None:
        for statement in STATEMENTS:
            await execute(statement)

    manager.add_raw(run)
    return manager
