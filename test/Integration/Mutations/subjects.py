"""Small functions of routed layers and what surrounds them, whose kernels are mutated, and the inputs for them.

Extents of inputs are dynamic, so that one program takes all of them. Together they reach every height of a tile, rows
that no expert gets, and, where an op has indices as operands, indices that are out of range.
"""
import pathlib
import sys
import typing

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Conformance"))

import case as cases

SOFTMAX = "score = softmax, over = all, renormalize = sum_plus_eps, eps = 1.0e-6, scale = 1.0"
GROUP_LIMITED = ("score = sigmoid, over = all, select = group_limited, groups = 4, kept_groups = 2, dropped = neg_inf, "
                 "group_score = top2_sum, renormalize = sum_plus_eps, eps = 1.0e-6, scale = 2.5")


def normal(case, width, *shape):
    return case.normal(*shape) / np.sqrt(width)


def routing(case, tokens, slots, experts):
    """Distinct experts for each token, a fifth of them missing."""
    chosen = np.zeros((tokens, slots))
    for token in range(tokens):
        chosen[token] = case.rng.permutation(experts)[:slots]
    chosen[case.rng.random(chosen.shape) < 0.2] = -1
    return chosen


def route(experts, k, router):
    def build(case, tokens):
        l = case.input("l", case.normal(tokens, experts), "f32", ["t", ""])
        e, g = f"tensor<?x{k}xi32>", f"tensor<?x{k}xf32>"
        case.body += f"  %e, %g = moe.route %l router(<k = {k}, {router}>) : {l} -> {e}, {g}\n"
        case.result("e", e, "i32")
        case.result("g", g, "f32")
    return build


def group(experts, slots):
    def build(case, tokens):
        chosen = routing(case, tokens, slots, experts)
        if case.fails:
            chosen[:] = experts
        e = case.input("e", chosen, "i32", ["t", ""])
        offsets, rows = f"tensor<{experts + 1}xi32>", "tensor<?xi32>"
        case.body += f"  %o, %r, %i = moe.group %e experts {experts} : {e} -> {offsets}, {rows}, {rows}\n"
        for name, kind in (("o", offsets), ("r", rows), ("i", rows)):
            case.result(name, kind, "i32")
    return build


def combine(element, width, slots, has_gates):
    def build(case, tokens):
        inverse = case.rng.permutation(tokens * slots)
        inverse[case.rng.random(tokens * slots) < 0.2] = -1
        if case.fails:
            inverse[:] = tokens * slots
        kinds = [case.input("y", case.normal(tokens * slots, width), element, ["r", ""]),
                 case.input("i", inverse, "i32", ["r"])]
        operands = "gates %g " if has_gates else ""
        if has_gates:
            kinds.append(case.input("g", case.normal(tokens, slots), "f32", ["t", ""]))
        kind = f"tensor<?x{width}x{element}>"
        case.body += f"  %c = moe.combine %y inverse %i {operands}slots {slots} : ({', '.join(kinds)}) -> {kind}\n"
        case.result("c", kind, element)
    return build


def add_groups(case, tokens, slots, experts):
    """Inputs with the rows of each expert; returns their types, and the place of each row of a token, -1 for none."""
    chosen = routing(case, tokens, slots, experts).reshape(-1)
    used = int(np.sum(chosen >= 0))
    order = np.argsort(np.where(chosen < 0, experts, chosen), kind="stable")
    inverse = np.full(tokens * slots, -1)
    inverse[order[:used]] = np.arange(used)
    order[used:] = -1
    if case.fails:
        order[:] = tokens * slots
    offsets = np.searchsorted(np.sort(chosen[chosen >= 0]), np.arange(experts + 1))
    return [case.input("o", offsets, "i32"), case.input("order", order, "i32", ["r"])], inverse


def on_grid(values):
    """Few and small enough that sums of products are exact in f32."""
    return np.clip(np.round(values * 4), -8, 8) / 8


def add_weight(case, name, stored, bits, shape, is_exact):
    """A weight of plain numbers, or of `bits` with a scale for each 32 of them. Returns its type."""
    if not bits:
        values = on_grid(case.normal(*shape)) if is_exact else normal(case, shape[-1], *shape)
        return case.weight(name, values, stored)
    q = case.weight(name + "q", case.rng.integers(0, 256, (*shape[:-1], shape[-1] * bits // 8)), "ui8")
    blocks = (*shape[:-1], -(-shape[-1] // 32))
    if is_exact:
        scales = 2.0 ** -case.rng.integers(2, 6, blocks)
    else:
        scales = case.rng.random(blocks) / 2 ** (bits - 1) / np.sqrt(shape[-1] / 8)
    s = case.weight(name + "s", scales, stored)
    kind = f"tensor<{'x'.join(map(str, shape))}x{stored}>"
    case.body += f"  %{name} = moe.dequantize %{name}q scales %{name}s bits {bits} block 32 : ({q}, {s}) -> {kind}\n"
    return kind


def grouped(element, inner, columns, activation, stored=None, bits=0, slots=2, experts=4, is_gathered=True, bias=False,
            scale=False):
    """A grouped product, of gathered rows of x or of rows in order, then the sum of the rows of a token. One expert: a
    product of all rows by one weight. Without an activation all sums are exact, whatever their order."""
    is_exact = activation == "identity"

    def build(case, tokens):
        weight, gated = stored or element, activation.startswith(("swiglu", "geglu"))
        halves = [add_weight(case, name, weight, bits, (experts, columns, inner), is_exact) for name in ("w", "l")[:1 + gated]]
        panels = -(-columns // 16) * len(halves)
        packed = f"tensor<{experts}x{panels}x{inner}x16x{weight}>"
        case.body += (f"  %p = moe.pack_panels %w {'linear %l ' if gated else ''}: ({', '.join(halves)}) -> {packed}\n")
        b = case.weight("b", case.normal(experts, 16 * panels if gated else columns), "f32") if bias else ""
        rows, symbol = (tokens, "t") if is_gathered or experts == 1 else (tokens * slots, "r")
        x = case.normal(rows, inner)
        kinds, operands = [case.input("x", on_grid(x) if is_exact else x, element, [symbol, ""]), packed], ""
        if experts > 1:
            groups, inverse = add_groups(case, tokens, slots, experts)
            kinds += groups if is_gathered else groups[:1]
            operands += "offsets %o order %order " if is_gathered else "offsets %o "
        if scale:
            kinds.append(case.input("s", case.rng.random((tokens, slots)), "f32", ["t", ""]))
            operands += "scale %s "
        if bias:
            kinds.append(b)
            operands += "bias %b "
        kind = f"tensor<?x{columns}x{element}>"
        attributes = f" {{rows_per_token = {slots} : i64}}" if is_gathered and experts > 1 else ""
        layout = "panels" if gated else "none"
        case.body += (f"  %y = moe.grouped_matmul %x by %p {operands}columns {columns * len(halves)} "
                      f"activation(<kind = {activation}, layout = {layout}>){attributes} : ({', '.join(kinds)}) -> {kind}\n")
        if experts > 1:
            i = case.input("i", inverse, "i32", ["r"])
            case.body += f"  %c = moe.combine %y inverse %i slots {slots} : ({kind}, {i}) -> {kind}\n"
        case.result("c" if experts > 1 else "y", kind, element)
    return build


def norms(element, width):
    def build(case, rows):
        weights = [case.weight(name, case.normal(width), "f32") for name in ("w", "v", "b")]
        # Rows so small that eps counts, and single values so large that a softmax that misses them overflows.
        values = case.normal(rows, width) * 10.0 ** -case.rng.integers(0, 4, (rows, 1))
        values[case.rng.random(values.shape) < 1 / width] += 200
        x = case.input("x", values, element, ["t", ""])
        case.body += (f"  %n = nn.rms_norm %x weight %w eps 1.0e-5 : ({x}, {weights[0]}) -> {x}\n"
                      f"  %l = nn.layer_norm %x weight %v bias %b eps 1.0e-5 : ({x}, {weights[1]}, {weights[2]}) -> {x}\n"
                      f"  %s = nn.softmax %x : {x}\n")
        for name in "nls":
            case.result(name, x, element)
    return build


def rotary(element, heads, width):
    def build(case, length):
        # Tables have a length of their own, so that the kernel has to compare it.
        angle = case.normal(1, length + case.fails, width // 2)
        x = case.input("x", case.normal(2, heads, length, width), element, ["b", "", "s", ""])
        c = case.input("c", np.cos(angle), "f32", ["", "u", ""])
        t = case.input("t", np.sin(angle), "f32", ["", "u", ""])
        case.body += f"  %r = nn.rotary %x, %c, %t interleaved false : ({x}, {c}, {t}) -> {x}\n"
        case.result("r", x, element)
    return build


def attention(element, groups, share, width, attributes):
    """Queries at the end of the keys, the first of which see nothing where they are more; `extents` are the numbers of
    both."""
    def build(case, extents):
        queries, keys = extents
        # Some scores are so small that every key counts, some so large that a softmax that misses them overflows.
        sizes = case.rng.choice([0.3, 2, 80], (2, groups * share, queries, 1))
        q = case.input("q", case.normal(2, groups * share, queries, width) * sizes, element, ["b", "", "s", ""])
        # In one entry of the batch keys grow, and with them the largest score so far, to the last of any parts.
        growth = np.stack([np.ones(keys), 4 * np.linspace(0, 1, keys) ** 8]).reshape(2, 1, keys, 1)
        k = case.input("k", case.normal(2, groups, keys, width) * growth, element, ["b", "", "l", ""])
        v = case.input("v", 16 * case.normal(2, groups, keys + case.fails, width), element, ["b", "", "m", ""])
        case.body += f"  %r = nn.attention %q, %k, %v scale 0.25 {{{attributes}}} : ({q}, {k}, {v}) -> {q}\n"
        case.result("r", q, element)
    return build


# Tokens for which experts have any number of octets of rows that a tile holds, up to 16, and so many that blocks take
# turns with several tiles.
ROWS = [20, 1, 50, 80, 115, 160, 200, 250, 310, 7000]
REPORTED = [20, 1, 50, 115, 310]  # of which rows may be out of range
# The same where all rows are one group.
DENSE = [9, 1, 20, 32, 36, 60, 70, 90, 110, 128, 3700]
PRODUCT = "moe_grouped_matmul"


class Function(typing.NamedTuple):
    name: str
    build: typing.Callable
    extents: list
    failing: list = []    # extents of inputs that have to be reported
    kernels: str = ""     # how the names of those begin that are mutated
    is_exact: bool = False  # results have to be the same in every bit


FUNCTIONS = [
    Function("route softmax", route(4, 4, SOFTMAX), [20, 1, 700]),
    Function("route group-limited", route(16, 3, GROUP_LIMITED), [20, 1, 700]),
    Function("group few", group(8, 2), [20, 1, 70, 3000, 11000], [150]),
    Function("group many", group(60, 3), [33, 1, 200, 3100, 7000], [150]),
    Function("combine bf16", combine("bf16", 96, 4, True), [20, 1, 200], [70]),
    Function("combine f32", combine("f32", 33, 2, False), [20, 1, 200], [70]),
    Function("up bf16", grouped("bf16", 288, 56, "swiglu"), ROWS, REPORTED, PRODUCT),
    Function("down bf16", grouped("bf16", 288, 96, "identity", is_gathered=False), ROWS, [], PRODUCT, True),
    Function("up f16", grouped("f16", 280, 64, "geglu", bias=True, scale=True), ROWS, REPORTED, PRODUCT),
    Function("up f32", grouped("f32", 140, 33, "silu", bias=True), ROWS, REPORTED, PRODUCT),
    Function("up f32 by bf16", grouped("f32", 144, 48, "swiglu", stored="bf16"), ROWS, REPORTED, PRODUCT),
    Function("down f32", grouped("f32", 129, 44, "identity", is_gathered=False), ROWS, [], PRODUCT, True),
    Function("dense bf16", grouped("bf16", 520, 96, "gelu", experts=1), DENSE),
    Function("dense f32", grouped("f32", 270, 20, "identity", experts=1), DENSE, is_exact=True),
    Function("up int4", grouped("f16", 288, 48, "swiglu", bits=4), ROWS, REPORTED, PRODUCT),
    Function("down int8", grouped("bf16", 288, 64, "identity", bits=8, is_gathered=False), ROWS, [], PRODUCT, True),
    Function("norms f32", norms("f32", 100), [5, 1, 3000]),
    Function("norms bf16", norms("bf16", 64), [5, 1, 3000]),
    Function("rotary", rotary("bf16", 3, 16), [5, 1, 20000], [40]),
    Function("attention bf16", attention("bf16", 27, 2, 32, "causal = true"),
             [(19, 19), (8, 45), (1, 40), (5, 70), (12, 7), (3, 0), (1, 3000), (9, 1500), (70, 150), (130, 140),
              (140, 90), (130, 2200)], [(19, 19), (1, 40)]),
    Function("attention f32", attention("f32", 2, 3, 16, "causal = true, softcap = 150.0 : f64"),
             [(19, 19), (1, 40), (5, 70), (12, 7), (3, 0), (1, 3000), (5, 1300), (9, 1500), (90, 400)],
             [(19, 19), (1, 40)]),
    Function("attention window", attention("f16", 27, 2, 24, "causal = true, window = 1200 : i64"),
             [(19, 19), (8, 45), (1, 40), (5, 70), (12, 7), (3, 0), (3, 1400), (1, 3000), (9, 2700), (70, 1500),
              (140, 90), (130, 1900)], [(19, 19), (1, 40)]),
]


def build_function(index, extent, fails=False):
    """The case: all of one function have the same weights, each its own inputs."""
    case = cases.Case(np.random.default_rng([11, index]))
    case.fails = fails
    FUNCTIONS[index].build(case, extent)
    return case
