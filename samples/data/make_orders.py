#!/usr/bin/env python3
"""Writes orders.csv, what the quickstart reads: order,step,amount; 1,000 orders of 3 steps each, interleaved.

The steps of one order stand in their order, the orders between one another do not: as events of many customers arrive.
The same file at every run.
"""
import random
import sys

ORDERS = 1000
STEPS = ("created", "paid", "shipped")
WINDOW = 40  # orders under way at a time


def events(draw):
    waiting = [f"order-{n:04d}" for n in range(1, ORDERS + 1)]
    under_way = []
    while waiting or under_way:
        while waiting and len(under_way) < WINDOW:
            under_way.append((waiting.pop(0), 0, draw.randint(100, 99_999)))
        at = draw.randrange(len(under_way))
        order, step, cents = under_way[at]
        yield order, STEPS[step], f"{cents // 100}.{cents % 100:02d}"
        if step + 1 == len(STEPS):
            under_way.pop(at)
        else:
            under_way[at] = (order, step + 1, cents)


def main():
    to = open(sys.argv[1], "w", encoding="ascii", newline="\n") if len(sys.argv) > 1 else sys.stdout
    with to:
        for event in events(random.Random(20261123)):
            to.write(",".join(event) + "\n")


if __name__ == "__main__":
    main()
