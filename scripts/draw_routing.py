#!/usr/bin/env python3
"""Draws which experts each layer used for each kind of text.

    draw_routing.py [--svg FILE] NAME=ROUTING.json[,ROUTING.json…] …

The JSON files are what `moe-run --routing` writes; those of one name are added up. Prints a heat map to the terminal,
one block per layer, one row per name, one column per expert, and writes the same as an SVG picture if asked to.
"""
import argparse
import json
import pathlib
from xml.sax.saxutils import escape

import numpy as np

SHADES = " ░▒▓█"
CELL, GAP, LABEL, HEAD = 18, 28, 90, 46


def load(paths):
    """Shares of the routed tokens by layer and expert, and the layers' descriptions."""
    counts, layers = None, None
    for path in paths.split(","):
        layers = json.loads(pathlib.Path(path).read_text())["layers"]
        added = [np.array(layer["counts"], dtype=float) for layer in layers]
        counts = added if counts is None else [a + b for a, b in zip(counts, added)]
    return [c / max(c.sum(), 1) for c in counts], layers


def describe(index, layer):
    return f"layer {index}: {layer['experts']} experts, {layer['selected']} per token, {layer['router']}"


def intensity(shares):
    """0 for no use to 1 for three times the even share and more."""
    return np.clip(shares * len(shares) / 3, 0, 1)


def print_map(shares, layers):
    width = max(map(len, shares))
    for index, layer in enumerate(layers):
        print(describe(index, layer))
        for name, by_layer in shares.items():
            steps = np.ceil(intensity(by_layer[index]) * (len(SHADES) - 1)).astype(int)
            cells = "".join(SHADES[step] * 2 for step in steps)
            effective = 2 ** -np.sum(by_layer[index] * np.log2(np.maximum(by_layer[index], 1e-12)))
            print(f"  {name:>{width}} |{cells}| {effective:4.1f} experts in effect")
    print(f"  one column an expert; {SHADES[-1]} is three times the even share or more")


def write_svg(path, shares, layers):
    rows = len(shares)
    panel = HEAD + rows * CELL + GAP
    width = LABEL + max(max(CELL * len(layer["counts"]) + GAP, 7 * len(describe(index, layer)))
                        for index, layer in enumerate(layers))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{panel * len(layers)}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for index, layer in enumerate(layers):
        top = index * panel
        parts.append(f'<text x="{LABEL}" y="{top + 20}">{escape(describe(index, layer))}</text>')
        for expert in range(len(layer["counts"])):
            parts.append(f'<text x="{LABEL + (expert + 0.5) * CELL}" y="{top + HEAD - 6}" text-anchor="middle" '
                         f'font-size="9" fill="gray">{expert}</text>')
        for row, (name, by_layer) in enumerate(shares.items()):
            y = top + HEAD + row * CELL
            parts.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
            for expert, (share, level) in enumerate(zip(by_layer[index], intensity(by_layer[index]))):
                parts.append(f'<rect x="{LABEL + expert * CELL}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" '
                             f'fill="rgb(16,78,139)" fill-opacity="{max(level, 0.03):.2f}">'
                             f'<title>{escape(name)}, expert {expert}: {100 * share:.1f} %</title></rect>')
    pathlib.Path(path).write_text("\n".join(parts + ["</svg>", ""]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("routing", nargs="+", metavar="NAME=FILE[,FILE]")
    parser.add_argument("--svg")
    args = parser.parse_args()
    shares, layers = {}, []
    for item in args.routing:
        name, paths = item.split("=", 1)
        shares[name], layers = load(paths)
    print_map(shares, layers)
    if args.svg:
        write_svg(args.svg, shares, layers)


if __name__ == "__main__":
    main()
