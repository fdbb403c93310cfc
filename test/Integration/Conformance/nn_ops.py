"""Random cases of the nn ops."""
import numpy as np


def dynamic(case, *symbols):
    """Each symbol, or "" for a static extent."""
    return [case.choose(symbol, "") for symbol in symbols]


def float_type(case):
    return case.choose("f32", "f32", "f16", "bf16")


def any_type(case):
    return case.choose("f32", "f16", "bf16", "i64", "i32", "i1")


def values(case, shape, element):
    if element == "i1":
        return case.rng.integers(0, 2, shape)
    if element.startswith("i"):
        return case.rng.integers(-5, 6, shape)
    return case.rng.standard_normal(shape)


def indices(case, extent, shape):
    """Indices into an extent, now and then with one out of range."""
    picked = case.rng.integers(-extent, extent, shape)
    if picked.size and case.sometimes():
        picked.flat[case.rng.integers(picked.size)] = case.choose(-extent - 1, extent)
        case.fails = True
    return picked


def shape_of(case, rank, **kwargs):
    return [case.extent(*kwargs.get("extents", (1, 2, 3, 5, 8, 17))) for _ in range(rank)]


def gather(case):
    element, index = any_type(case), case.choose("i32", "i64")
    data, picked = shape_of(case, case.extent(1, 2, 3)), shape_of(case, case.extent(0, 1, 2), extents=(0, 1, 2, 5))
    axis = int(case.rng.integers(len(data)))
    d, i = dynamic(case, *[f"d{a}" for a in range(len(data))]), dynamic(case, *[f"i{a}" for a in range(len(picked))])
    x = case.input("x", values(case, data, element), element, d)
    j = case.input("j", indices(case, data[axis], picked), index, i)
    kind = case.type(data[:axis] + picked + data[axis + 1:], element, d[:axis] + i + d[axis + 1:])
    case.body += f"  %r = nn.gather %x[%j] axis {axis} : ({x}, {j}) -> {kind}\n"
    case.result("r", kind, element)


def gather_elements(case):
    element, index = any_type(case), case.choose("i32", "i64")
    data = shape_of(case, case.extent(1, 2, 3))
    axis = int(case.rng.integers(len(data)))
    picked = [case.extent(0, 1, 4, 9) if a == axis else case.extent(1, e) for a, e in enumerate(data)]
    i = dynamic(case, *[f"i{a}" for a in range(len(data))])
    x = case.input("x", values(case, data, element), element)
    j = case.input("j", indices(case, data[axis], picked), index, i)
    kind = case.type(picked, element, i)
    case.body += f"  %r = nn.gather_elements %x[%j] axis {axis} : ({x}, {j}) -> {kind}\n"
    case.result("r", kind, element)


def gather_nd(case):
    element = any_type(case)
    data, batch = shape_of(case, case.extent(1, 2, 3)), 0
    if len(data) > 1:
        batch = case.extent(0, 1)
    tuple_size = int(case.rng.integers(1, len(data) - batch + 1))
    rows = data[:batch] + [case.extent(0, 1, 3, 7)]
    i = [""] * batch + dynamic(case, "n")
    tuples = np.stack([indices(case, data[batch + a], rows) for a in range(tuple_size)], -1)
    x = case.input("x", values(case, data, element), element)
    j = case.input("j", tuples, "i64", i + [""])
    rest = data[batch + tuple_size:]
    kind = case.type(rows + rest, element, i + [""] * len(rest))
    case.body += f"  %r = nn.gather_nd %x[%j] batch {batch} : ({x}, {j}) -> {kind}\n"
    case.result("r", kind, element)


def reduction(case, element):
    return "none" if element == "i1" else case.choose("none", "add", "mul", "max", "min")


def scatter_elements(case):
    element = case.choose("f32", "i64", "i32", "i1")
    data = shape_of(case, case.extent(1, 2, 3))
    axis = int(case.rng.integers(len(data)))
    picked = [case.extent(0, 1, 4, 9) if a == axis else case.extent(1, e) for a, e in enumerate(data)]
    i = dynamic(case, *[f"i{a}" for a in range(len(data))])
    x = case.input("x", values(case, data, element), element)
    j = case.input("j", indices(case, data[axis], picked), "i64", i)
    u = case.input("u", values(case, picked, element), element, i)
    case.body += (f"  %r = nn.scatter_elements %u into %x[%j] axis {axis} {reduction(case, element)} : "
                  f"({x}, {j}, {u}) -> {x}\n")
    case.result("r", x, element)


def scatter_nd(case):
    element = case.choose("f32", "i64", "i32", "i1")
    data = shape_of(case, case.extent(1, 2, 3))
    tuple_size = int(case.rng.integers(1, len(data) + 1))
    rows, i = [case.extent(0, 1, 3, 7)], dynamic(case, "n")
    tuples = np.stack([indices(case, data[a], rows) for a in range(tuple_size)], -1)
    rest = data[tuple_size:]
    x = case.input("x", values(case, data, element), element)
    j = case.input("j", tuples, "i64", i + [""])
    u = case.input("u", values(case, rows + rest, element), element, i + [""] * len(rest))
    case.body += f"  %r = nn.scatter_nd %u into %x[%j] {reduction(case, element)} : ({x}, {j}, {u}) -> {x}\n"
    case.result("r", x, element)


def read_index(case, name, value):
    """%name is an index read from an input."""
    kind = case.input(name + "_given", [value], "i64")
    case.body += (f"  %{name}_zero = arith.constant 0 : index\n"
                  f"  %{name}_value = tensor.extract %{name}_given[%{name}_zero] : {kind}\n"
                  f"  %{name} = arith.index_cast %{name}_value : i64 to index\n")


def top_k(case):
    element = case.choose("f32", "f16", "bf16", "i64", "i32")
    shape = shape_of(case, case.extent(1, 2, 3))
    k = int(case.rng.integers(0, shape[-1] + 1))
    if case.sometimes():
        k, case.fails = case.choose(-1, shape[-1] + 1), True
    x_values = np.asarray(values(case, shape, element), "f8")
    if element.startswith("f") and case.extent(0, 1):
        x_values[case.rng.random(shape) < 0.2] = case.choose(np.nan, np.inf, -np.inf, 0.0)
    symbols = dynamic(case, *[f"d{a}" for a in range(len(shape))])
    x = case.input("x", x_values, element, symbols)
    constant = not case.fails and case.extent(0, 1)
    if constant:
        case.body += f"  %k = arith.constant {k} : index\n"
    else:
        read_index(case, "k", k)
    kind, where = (case.type(shape[:-1] + [k], e, symbols[:-1] + ["" if constant else "k"]) for e in (element, "i64"))
    case.body += f"  %v, %i = nn.top_k %x, %k largest {case.choose('true', 'false')} : {x} -> {kind}, {where}\n"
    case.result("v", kind, element)
    case.result("i", where, "i64")


def cumsum(case):
    element = case.choose("f32", "i64", "i32")
    shape = shape_of(case, case.extent(1, 2, 3), extents=(0, 1, 2, 5, 17))
    x = case.input("x", values(case, shape, element), element, dynamic(case, *[f"d{a}" for a in range(len(shape))]))
    case.body += (f"  %r = nn.cumsum %x axis {case.rng.integers(len(shape))} exclusive {case.choose('true', 'false')} "
                  f"reverse {case.choose('true', 'false')} : {x}\n")
    case.result("r", x, element)


def nonzero(case):
    element = case.choose("f32", "i64", "i32", "i1")
    shape = shape_of(case, case.extent(1, 2, 3), extents=(0, 1, 2, 5, 17))
    x_values = values(case, shape, element) * case.rng.integers(0, 2, shape)
    x = case.input("x", x_values, element, dynamic(case, *[f"d{a}" for a in range(len(shape))]))
    kind = f"tensor<{len(shape)}x?xi64>"
    case.body += (f"  %n = nn.count_nonzero %x : {x} -> tensor<1xi64>\n  %zero = arith.constant 0 : index\n"
                  f"  %c = tensor.extract %n[%zero] : tensor<1xi64>\n  %k = arith.index_cast %c : i64 to index\n"
                  f"  %r = nn.nonzero %x, %k : {x} -> {kind}\n")
    case.result("n", "tensor<1xi64>", "i64")
    case.result("r", kind, "i64")


def softmax(case):
    element = float_type(case)
    shape = shape_of(case, case.extent(1, 2, 3), extents=(0, 1, 2, 5, 8, 17, 33))
    x_values = 5 * values(case, shape, element)
    if case.extent(0, 1):
        x_values[case.rng.random(shape) < 0.3] = -np.inf
    x = case.input("x", x_values, element, dynamic(case, *[f"d{a}" for a in range(len(shape))]))
    case.body += f"  %r = nn.softmax %x : {x}\n"
    case.result("r", x, element)


def norm(case, op, names):
    element = float_type(case)
    shape = shape_of(case, case.extent(1, 2, 3), extents=(0, 1, 2, 8, 17, 33))
    x = case.input("x", values(case, shape, element), element, dynamic(case, *[f"d{a}" for a in range(len(shape))]))
    operands, kinds = "", [x]
    for name in names:
        if case.extent(0, 1):
            stored = case.choose("f32", element)
            add = case.choose(case.input, case.weight)
            kinds.append(add(name, values(case, shape[-1:], stored), stored))
            operands += f"{name} %{name} "
    case.body += f"  %r = {op} %x {operands}eps 1.0e-5 : ({', '.join(kinds)}) -> {x}\n"
    case.result("r", x, element)


def rms_norm(case):
    norm(case, "nn.rms_norm", ["weight"])


def layer_norm(case):
    norm(case, "nn.layer_norm", ["weight", "bias"])


def rotary(case):
    element = float_type(case)
    batch, heads, length, width = case.extent(1, 2), case.extent(1, 3), case.extent(0, 1, 5), case.extent(2, 5, 8, 32)
    pairs = int(case.rng.integers(1, width // 2 + 1))
    b, s = dynamic(case, "b", "s")
    tables = case.extent(1, batch)
    angle = case.normal(tables, length, pairs)
    x = case.input("x", values(case, [batch, heads, length, width], element), element, [b, case.choose("h", ""), s, ""])
    stored = case.choose("f32", element)
    c = case.input("c", np.cos(angle), stored, [b if tables == batch else "", s, ""])
    t = case.input("t", np.sin(angle), stored, [b if tables == batch else "", s, ""])
    case.body += f"  %r = nn.rotary %x, %c, %t interleaved {case.choose('true', 'false')} : ({x}, {c}, {t}) -> {x}\n"
    case.result("r", x, element)


def attention(case):
    element = float_type(case)
    batch, groups, share = case.extent(1, 2), case.extent(1, 2), case.extent(1, 3)
    heads, queries = groups * share, case.extent(0, 1, 5, 19)
    width, out_width = case.extent(1, 4, 16, 17), case.extent(1, 8, 17)
    keys = case.extent(queries, queries + 1, queries + 7)
    b, s, l = dynamic(case, "b", "s", "l")
    undefined = case.choose("", "nan_to_zero", "empty_is_nan")
    query = case.normal(batch, heads, queries, width)
    if undefined == "nan_to_zero":
        query[case.rng.random(query.shape[:3]) < 0.2] = np.nan
    q = case.input("q", query, element, [b, "", s, ""])
    # A length hides room behind the keys.
    room, r = (keys + case.extent(0, 1, 9), case.choose("r", "")) if case.extent(0, 1) else (keys, l)
    hidden = room > keys or r != l
    k = case.input("k", case.normal(batch, groups, room, width), element, [b, "", r, ""])
    v = case.input("v", case.normal(batch, groups, room, out_width), element, [b, "", r, ""])
    operands, kinds, attributes = "", [q, k, v], []
    if case.extent(0, 1):
        shape = [case.extent(1, batch), case.extent(1, heads), case.extent(1, queries), keys]
        symbols = [b if shape[0] == batch else "", "", s if shape[2] == queries else "", l]
        boolean = case.extent(0, 1)
        mask = case.rng.random(shape) < 0.7
        kinds.append(case.input("mask", mask if boolean else np.where(mask, case.normal(*shape), -np.inf),
                                "i1" if boolean else case.choose("f32", element), symbols))
        operands += "mask %mask "
    if case.extent(0, 1):
        kinds.append(case.input("sinks", case.normal(heads), "f32"))
        operands += "sinks %sinks "
    if hidden:
        read_index(case, "length", keys)
        kinds.append("index")
        operands += "length %length "
    if case.extent(0, 1):
        attributes.append("causal = true")
    if case.extent(0, 1):
        attributes.append(f"window = {case.extent(1, 2, 8)} : i64")
    if case.extent(0, 1):
        attributes.append("softcap = 2.0 : f64")
    if undefined:
        attributes.append(f"{undefined} = true")
    kind = case.type([batch, heads, queries, out_width], element, [b, "", s, ""])
    case.body += (f"  %r = nn.attention %q, %k, %v {operands}scale 0.5 {{{', '.join(attributes)}}} : "
                  f"({', '.join(kinds)}) -> {kind}\n")
    case.result("r", kind, element)


OPS = [gather, gather_elements, gather_nd, scatter_elements, scatter_nd, top_k, cumsum, nonzero, softmax, rms_norm,
       layer_norm, rotary, attention]
