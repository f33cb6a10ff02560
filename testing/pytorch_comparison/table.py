"""Statistics, and tables as Markdown has them."""

import collections
import statistics

Spread = collections.namedtuple("Spread", "low median high")


def quartiles(values):
    """The median and the quartiles around it."""
    values = sorted(values)
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


def of_turns(turns):
    """The spread of all steps of several turns."""
    return quartiles([value for turn in turns for value in turn])


def ratio(theirs, ours):
    """How many times as fast ours is: the median over the rounds of the ratio
    of both sides' medians, with the smallest and the largest."""
    ratios = [statistics.median(their) / statistics.median(our)
              for their, our in zip(theirs, ours)]
    return Spread(min(ratios), statistics.median(ratios), max(ratios))


def number(value):
    """Three digits, or all before the point, with commas."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def cell(spread, unit=""):
    """"105 (101..131)"; a single value stands alone."""
    if isinstance(spread, str):
        return spread
    text = number(spread.median) + unit
    if spread.low == spread.high:
        return text
    return f"{text} ({number(spread.low)}..{number(spread.high)})"


def table(header, rows):
    """Lines of a Markdown table; the first column is text, others numbers."""
    columns = list(zip(header, *rows))
    widths = [max(3, *map(len, column)) for column in columns]

    def line(cells):
        padded = [text.ljust(width) if i == 0 else text.rjust(width)
                  for i, (text, width) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if i == 0 else "-" * (width - 1) + ":"
            for i, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, rows)])
