"""Random cases of the moe ops."""
import numpy as np

PLAIN = ["identity", "relu", "relu2", "silu", "gelu", "gelu_tanh"]
GATED = ["swiglu", "geglu", "geglu_tanh", "reglu"]


def float_type(case):
    return case.choose("f32", "f32", "f16", "bf16")


def routing(case, tokens, slots, experts):
    """Distinct experts for each token, some of them missing."""
    chosen = np.zeros((tokens, slots))
    for token in range(tokens):
        chosen[token] = case.rng.permutation(experts)[:slots]
    if case.extent(0, 1):
        chosen[case.rng.random(chosen.shape) < 0.2] = -1
    return chosen


def router(case, experts):
    """The attribute's text, and k."""
    fields = {"score": case.choose("softmax", "sigmoid", "identity"), "over": case.choose("all", "selected")}
    k = int(case.rng.integers(1, experts + 1))
    if case.extent(0, 1) and experts % 4 == 0:
        kept = case.extent(1, 2)
        k = min(k, kept * experts // 4)
        fields.update(select="group_limited", groups=4, kept_groups=kept, dropped=case.choose("neg_inf", "zero"))
        if experts // 4 >= 2:
            fields["group_score"] = case.choose("max", "top2_sum")
    # Gates of either sign may sum to nearly nothing.
    if fields["score"] != "identity":
        fields["renormalize"] = case.choose("none", "sum_plus_eps", "max_eps")
        fields["eps"] = "1.0e-6"
    fields["scale"] = case.choose("1.0", "2.5")
    return ", ".join(f"{key} = {value}" for key, value in {"k": k, **fields}.items()), k, fields


def bounded_router(case, experts):
    """The same for selections that have a bound."""
    select = case.choose("top_p", "threshold", "sparse_mixer")
    bound = {"top_p": case.choose("0.6", "0.93"), "threshold": case.choose("0.0", "0.11", "-0.3"),
             "sparse_mixer": case.choose("0.02", "0.4", "0.0")}[select]
    score = "softmax" if select == "sparse_mixer" else case.choose("softmax", "sigmoid", "relu")
    k = int(case.rng.integers(1, experts + 1))
    fields = {"score": score, "over": "all", "select": select, "bound": bound, "eps": "1.0e-6",
              "renormalize": case.choose("none", "sum_plus_eps", "max_eps"), "scale": case.choose("1.0", "2.5")}
    return ", ".join(f"{key} = {value}" for key, value in {"k": k, **fields}.items()), k, fields


def bounded_route(case):
    route(case, bounded_router)


def route(case, choose_router=router):
    tokens, experts = case.extent(0, 1, 2, 7, 33), case.extent(1, 2, 4, 8, 16, 60, 128)
    element, t = float_type(case), case.choose("t", "")
    text, k, fields = choose_router(case, experts)
    select = fields.get("select")
    logits = case.normal(tokens, experts)
    if case.extent(0, 1):
        logits = np.round(logits)
    if case.sometimes():
        logits[case.rng.random(logits.shape) < 0.1] = case.choose(np.nan, -np.inf)
    l = case.input("l", logits, element, [t, ""])
    operands = ""
    if select not in ("top_p", "sparse_mixer") and case.extent(0, 1):
        b = case.choose(case.input, case.weight)("b", case.normal(experts), "f32")
        operands += f"bias %b : {b} "
    if fields["over"] == "all" and select != "sparse_mixer" and case.extent(0, 1):
        m = case.input("m", case.normal(tokens, experts) ** 2 + 0.1, "f32", [t, ""])
        operands += f"mix %m : {m} "
    chosen, gates = (case.type([tokens, k], e, [t, ""]) for e in ("i32", "f32"))
    case.body += f"  %e, %g = moe.route %l {operands}router(<{text}>) : {l} -> {chosen}, {gates}\n"
    case.result("e", chosen, "i32")
    case.result("g", gates, "f32")


def limit_capacity(case):
    batches, tokens, slots = case.extent(0, 1, 3), case.extent(0, 1, 7, 33, 200), case.extent(1, 1, 2, 5)
    experts, capacity = case.extent(1, 2, 8, 33), case.extent(1, 2, 9, 100)
    symbols = case.choose(["b", "t", ""], ["", "t", ""], ["", "", ""])
    chosen = case.rng.integers(-2, experts + 2, (batches, tokens, slots))
    e = case.input("e", chosen, "i32", symbols)
    case.body += f"  %r = moe.limit_capacity %e experts {experts} capacity {capacity} : {e}\n"
    case.result("r", e, "i32")


def group(case):
    tokens, experts = case.extent(0, 1, 2, 7, 33, 200), case.extent(1, 2, 5, 16, 129)
    slots = int(case.rng.integers(1, min(experts, 8) + 1))
    t = case.choose("t", "")
    chosen = routing(case, tokens, slots, experts)
    if tokens and case.sometimes():
        chosen[case.rng.integers(tokens), 0] = case.choose(-2, experts)
        case.fails = True
    e = case.input("e", chosen, "i32", [t, ""])
    offsets, rows = f"tensor<{experts + 1}xi32>", case.type([tokens * slots], "i32", [t])
    case.body += f"  %o, %r, %i = moe.group %e experts {experts} : {e} -> {offsets}, {rows}, {rows}\n"
    case.result("o", offsets, "i32")
    case.result("r", rows, "i32")
    case.result("i", rows, "i32")


def activation(case, layouts):
    """The attribute's text and the layout; "none" where it is not gated."""
    layout = case.choose("none", *layouts)
    if layout == "none":
        return f"kind = {case.choose(*PLAIN)}", layout
    text = f"kind = {case.choose(*GATED)}, layout = {layout}"
    if case.extent(0, 1):
        text += ", alpha = 1.702, beta = 1.0, limit = 1.5"
    return text, layout


def experts(case):
    tokens, count, hidden = case.extent(0, 1, 2, 7, 33), case.extent(1, 2, 5, 8), case.extent(1, 4, 17, 32, 64)
    inner, outputs = case.extent(1, 6, 16, 17, 40), case.choose(hidden, hidden, 8)
    slots = int(case.rng.integers(1, min(count, 4) + 1))
    element, stored, t = float_type(case), float_type(case), case.choose("t", "")
    text, layout = activation(case, ["separate", "concatenated", "interleaved"])
    x = case.input("x", case.normal(tokens, hidden), element, [t, ""])
    e = case.input("e", routing(case, tokens, slots, count), "i32", [t, ""])
    g = case.input("g", case.rng.random((tokens, slots)), "f32", [t, ""])
    columns = 2 * inner if layout in ("concatenated", "interleaved") else inner
    # Experts are weights in models; as inputs they take the path without packing.
    add = case.choose(case.weight, case.weight, case.input)
    shapes = {"w1": (columns, hidden), "w2": (outputs, inner)}
    if layout == "separate":
        shapes["w3"] = (inner, hidden)
    kinds, operands = [x, e, g], ""
    for name, (rows, width) in shapes.items():
        kinds.append(add(name, case.normal(count, rows, width) / np.sqrt(width), stored))
        operands += f"{name} %{name} "
    for name, weight in (("b1", "w1"), ("b2", "w2"), ("b3", "w3")):
        if weight in shapes and case.extent(0, 1):
            kinds.append(add(name, case.normal(count, shapes[weight][0]), stored))
            operands += f"{name} %{name} "
    kind = case.type([tokens, outputs], element, [t, ""])
    where = " {weight_on = #moe.weight_on<input>}" if case.extent(0, 1) else ""
    case.body += (f"  %y = moe.experts %x routed(%e, %g) {operands}activation(<{text}>){where} : "
                  f"({', '.join(kinds)}) -> {kind}\n")
    case.result("y", kind, element)


def grouped_matmul(case):
    tokens, count, inner = case.extent(0, 1, 2, 7, 33), case.extent(1, 2, 5, 8), case.extent(1, 4, 17, 64)
    element, stored, t = float_type(case), float_type(case), case.choose("t", "")
    ordered = case.extent(0, 1)
    slots = int(case.rng.integers(1, min(count, 3) + 1)) if ordered else 1
    rows = tokens * slots
    text, layout = activation(case, ["concatenated", "interleaved", "panels"])
    columns = case.extent(2, 6, 32, 34, 50) if layout != "none" else case.extent(1, 5, 16, 17, 48)
    x = case.input("x", case.normal(tokens, inner), element, [t, ""])
    kinds, operands, defined = [x], "", None

    if layout == "panels":
        half = case.normal(2, count, columns // 2, inner) / np.sqrt(inner)
        w, l = (case.weight(name, values, stored) for name, values in zip(("w", "l"), half))
        panels = 2 * -(-columns // 32)
        packed = f"tensor<{count}x{panels}x{inner}x16x{stored}>"
        case.body += f"  %p = moe.pack_panels %w linear %l : ({w}, {l}) -> {packed}\n"
    else:
        w = case.weight("w", case.normal(count, columns, inner) / np.sqrt(inner), stored)
        packed = f"tensor<{count}x{-(-columns // 16)}x{inner}x16x{stored}>"
        case.body += f"  %p = moe.pack_panels %w : ({w}) -> {packed}\n"
    plain = layout != "panels" and (layout != "none" or case.extent(0, 1))
    kinds.append(w if plain else packed)

    if count > 1 or ordered or case.extent(0, 1):
        chosen = routing(case, tokens, slots, count).reshape(-1)
        order = np.argsort(np.where(chosen < 0, count, chosen), kind="stable")
        defined = int(np.sum(chosen >= 0))
        order[defined:] = -1
        offsets = np.searchsorted(np.sort(chosen[chosen >= 0]), np.arange(count + 1))
        kinds.append(case.input("o", offsets, "i32"))
        operands += "offsets %o "
        if ordered:
            r = case.choose("r", "")
            kinds.append(case.input("order", order, "i32", [r]))
            operands += "order %order "
            if case.extent(0, 1):
                kinds.append(case.input("s", case.rng.random((tokens, slots)), "f32", [t, ""]))
                operands += "scale %s "
    if case.extent(0, 1):
        width = 16 * panels if layout == "panels" else columns
        kinds.append(case.weight("b", case.normal(count, width), stored))
        operands += "bias %b "
    result_columns = columns // 2 if layout != "none" else columns
    kind = case.type([rows, result_columns], element, [r if ordered else t, ""])
    per_token = f" {{rows_per_token = {slots} : i64}}" if ordered else ""
    case.body += (f"  %y = moe.grouped_matmul %x by {'%w' if plain else '%p'} {operands}columns {columns} "
                  f"activation(<{text}>){per_token} : ({', '.join(kinds)}) -> {kind}\n")
    if defined is None:
        return case.result("y", kind, element)
    # Places behind those of the last expert hold nothing that may be read.
    places, found = case.input("places", np.arange(defined), "i64"), f"tensor<{defined}x{result_columns}x{element}>"
    case.body += f"  %z = nn.gather %y[%places] axis 0 : ({kind}, {places}) -> {found}\n"
    case.result("z", found, element)


def combine(case):
    tokens, slots, width = case.extent(0, 1, 2, 7, 33), case.extent(1, 2, 8), case.extent(1, 5, 16, 33)
    element, r, rows = float_type(case), case.choose("r", ""), tokens * slots
    inverse = case.rng.permutation(rows)
    if case.extent(0, 1):
        inverse[case.rng.random(rows) < 0.2] = -1
    y = case.input("y", case.normal(rows, width), element, [r, ""])
    i = case.input("i", inverse, "i32", [r])
    kinds, operands, t = [y, i], "", "t" if r else ""
    if case.extent(0, 1):
        kinds.append(case.input("g", case.normal(tokens, slots), "f32", [t, ""]))
        operands = "gates %g "
    kind = case.type([tokens, width], element, [t, ""])
    case.body += f"  %r = moe.combine %y inverse %i {operands}slots {slots} : ({', '.join(kinds)}) -> {kind}\n"
    case.result("r", kind, element)


def dequantize(case):
    bits, rows, count = case.extent(2, 4, 8), case.extent(1, 5), case.extent(1, 3)
    width = case.extent(4, 8, 24)
    inner, block = width * 8 // bits, case.extent(0, 4, 16)
    stored = case.choose("f32", "f16")
    q = case.weight("q", case.rng.integers(0, 256, (count, rows, width)), "ui8")
    blocks = [-(-inner // block)] if block else []
    s = case.weight("s", case.rng.random([count, rows] + blocks), stored)
    kinds, operands = [q, s], ""
    if case.extent(0, 1):
        shape = [count, rows] + blocks
        shape[-1] = -(-shape[-1] * bits // 8)
        kinds.append(case.weight("z", case.rng.integers(0, 256, shape), "ui8"))
        operands = "zero_points %z "
    kind = f"tensor<{count}x{rows}x{inner}x{case.choose('f32', stored)}>"
    case.body += (f"  %r = moe.dequantize %q scales %s {operands}bits {bits} block {block} : "
                  f"({', '.join(kinds)}) -> {kind}\n")
    case.result("r", kind, kind[:-1].rsplit("x", 1)[1])


def integer_matmul(case):
    """A product by a weight that stays integers, if its blocks allow it."""
    bits, columns, width = case.extent(2, 4, 8), case.extent(1, 16, 33), case.extent(4, 8, 24, 40)
    inner, block, element = width * 8 // bits, case.extent(0, 16, 24, 32), float_type(case)
    tokens = case.extent(0, 1, 3, 20, 70)
    x = case.input("x", case.normal(tokens, inner), element, [case.choose("t", ""), ""])
    q = case.weight("q", case.rng.integers(0, 256, (1, columns, width)), "ui8")
    blocks = [-(-inner // block)] if block else []
    scales = case.rng.random([1, columns] + blocks) / np.sqrt(inner) / 2**bits
    kinds, operands = [q, case.weight("s", scales, case.choose("f32", "f16"))], ""
    if case.extent(0, 1):
        shape = [1, columns] + blocks
        shape[-1] = -(-shape[-1] * bits // 8)
        kinds.append(case.weight("z", case.rng.integers(0, 256, shape), "ui8"))
        operands = "zero_points %z "
    w = f"tensor<1x{columns}x{inner}xf32>"
    kind = case.type([tokens, columns], element, ["t" if "?" in x else "", ""])
    case.body += (f"  %w = moe.dequantize %q scales %s {operands}bits {bits} block {block} : "
                  f"({', '.join(kinds)}) -> {w}\n"
                  f"  %y = moe.grouped_matmul %x by %w columns {columns} activation(<kind = identity>) : "
                  f"({x}, {w}) -> {kind}\n")
    case.result("y", kind, element)


OPS = [route, group, experts, grouped_matmul, combine, dequantize, bounded_route, limit_capacity, integer_matmul]
