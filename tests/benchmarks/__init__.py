"""Measures the two jobs that matter beside their bare limits, in one run on one machine.

    make bench                                   # both jobs, under four minutes on two cores
    python -m tests.benchmarks --job C --rounds 3 --profile

*W* receives webhooks: a signed 4 KB event, verified, kept once and durably, then answered. *C* checks out: an
order checked, the gate and the fee asked, a PaymentIntent created at a Stripe that answers at once, all of it
durable, then the client secret answered. A limit does the same work by hand, with nothing else around it.

Machines differ and are noisy: only ratios within one run mean something, so rounds are interleaved, medians
are shown and nothing here asserts a time. What is asserted is that the work was done: every answer is a yes
and every request left its row.
"""
