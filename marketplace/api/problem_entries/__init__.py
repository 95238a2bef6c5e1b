"""How the errors of the marketplace's own areas are told: a table for each, by who meets them."""
