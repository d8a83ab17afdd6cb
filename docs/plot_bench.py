#!/usr/bin/python3
"""Plots of what `taskmaster bench --json` printed, as SVG: docs/plot_bench.py BENCH.json [FOLDER]"""
import json
import math
import pathlib
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 70, 20, 40, 50


class Plot:
    def __init__(self, title, x_label, y_label, x, y):
        """x, y: (lowest, highest, logarithmic) of the axes."""
        self.x_axis, self.y_axis = x, y
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
                      f'<text x="{LEFT}" y="22" font-size="14" font-weight="bold">{title}</text>',
                      f'<text x="{(WIDTH + LEFT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{x_label}</text>',
                      f'<text transform="translate(16,{HEIGHT / 2}) rotate(-90)" text-anchor="middle">{y_label}</text>']

    @staticmethod
    def part(value, axis):
        low, high, logarithmic = axis
        if logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        return (value - low) / (high - low)

    def x(self, value):
        return LEFT + self.part(value, self.x_axis) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - self.part(value, self.y_axis) * (HEIGHT - TOP - BOTTOM)

    def ticks(self, xs, ys):
        for value, text in xs:
            self.parts.append(f'<line x1="{self.x(value):.1f}" x2="{self.x(value):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                              f'<text x="{self.x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>')
        for value, text in ys:
            self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self.y(value):.1f}" y2="{self.y(value):.1f}" stroke="#ddd"/>'
                              f'<text x="{LEFT - 6}" y="{self.y(value) + 4:.1f}" text-anchor="end">{text}</text>')

    def line(self, points, colour, dots=False):
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if dots:
            self.parts += [f'<circle cx="{self.x(a):.1f}" cy="{self.y(b):.1f}" r="4" fill="{colour}"/>' for a, b in points]

    def text(self, x, y, words, colour):
        self.parts.append(f'<text x="{self.x(x):.1f}" y="{self.y(y) - 8:.1f}" text-anchor="middle" fill="{colour}">{words}</text>')

    def save(self, path):
        path.write_text("\n".join(self.parts) + "\n</svg>\n")
        print(path)


def short(n):
    return f"{n // 1_000_000}M" if n >= 1_000_000 else f"{n // 1_000}k" if n >= 1_000 else str(n)


def backlog(said, folder):
    points = [(b["waiting"], b["drain_per_s"]) for b in said["backlog"]]
    top = max(rate for _, rate in points) * 1.25
    sizes = [n for n, _ in points]
    plot = Plot("Tasks finished a second while so many wait", "tasks waiting", "tasks a second", (sizes[0] / 1.5, sizes[-1] * 1.5, True), (0, top, False))
    plot.ticks([(n, short(n)) for n in sizes], [(top * i / 5, f"{top * i / 5 / 1000:.0f}k") for i in range(6)])
    plot.line(points, "#1f6feb", dots=True)
    for b in said["backlog"]:
        plot.text(b["waiting"], b["drain_per_s"], f"coordinator {b['coordinator_rss_mb']} MB", "#555")
    plot.save(folder / "backlog.svg")


def lateness(said, folder):
    late = said["lateness_permille_ms"]
    high = max(10, late[-1] * 1.2)
    plot = Plot(f"How late tasks start, {short(said['pending'])} others waiting", "milliseconds after run_at", "of all tasks, by then",
                (0.1, high, True), (0, 1, False))
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= high]
    plot.ticks([(t, f"{t:g}") for t in ticks], [(i / 5, f"{i * 20} %") for i in range(6)])
    plot.line([(max(ms, 0.1), i / (len(late) - 1)) for i, ms in enumerate(late)], "#1f6feb")
    plot.save(folder / "lateness.svg")


def main():
    said = json.loads(pathlib.Path(sys.argv[1]).read_text().splitlines()[-1])
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent)
    if "backlog" in said:
        backlog(said, folder)
    if "lateness_permille_ms" in said:
        lateness(said, folder)


main()
