"""Totals of an invoice; `total` is broken on purpose."""

RATE = 0.19


def net(items):
    return sum(item["price"] * item["count"] for item in items)


def total(items:
    return net(items) * (1 + RATE)
