"""Routers and experts as different exporters spell them, and the same with one thing changed.

A router gives ids and gates [T, K] of tokens x [T, H]; a form of experts computes the layer from x, ids and gates. A change
is a word that one place in a router or form looks for; `CHANGES` lists those of each.
"""
import numpy as np
from onnx import TensorProto, helper


class Sizes:
    """Extents of one layer, and its weights."""

    def __init__(self, rng, element):
        choose = lambda *values: int(rng.choice(values))
        self.experts = choose(1, 2, 3, 4, 5, 8)
        self.slots = min(self.experts, choose(1, 2, 2, 3, self.experts))
        self.hidden = choose(4, 5, 8, 12, 17)
        self.inner = choose(3, 4, 8, 9, 16)
        self.rng, self.element = rng, element

    def normal(self, *shape, scale=0.4):
        # Exact in f16, for weights that are stored so.
        return (scale * self.rng.standard_normal(shape)).astype(np.float16).astype(np.float32)


#===------------------------------------------------------------------------===#
# Routers
#===------------------------------------------------------------------------===#


def scores_of(w, sizes, x):
    weight = sizes.normal(sizes.hidden, sizes.experts, scale=1.5)
    if sizes.rng.random() < 0.5:
        return w.node("MatMul", x, w.weight(weight))
    return w.node("Gemm", x, w.weight(weight.T), w.weight(sizes.normal(sizes.experts)), transB=1)


def in_f32(w, x):
    return x if w.element == np.float32 else w.node("Cast", x, to=TensorProto.FLOAT)


def narrow(w, x):
    return x if w.element == np.float32 else w.node("Cast", x, to=TensorProto.FLOAT16)


def top(w, sizes, scores, change, slots=None):
    return w.node("TopK", scores, w.ints(slots or sizes.slots), outputs=2, axis=-1, largest=0 if change == "smallest" else 1)


def renormalised(w, gates, change, number):
    if change == "not renormalised":
        return gates
    total = w.reduce("ReduceMax" if change == "divided by the largest" else "ReduceSum", gates,
                     0 if change == "sum of tokens" else -1, 1)
    if change == "large epsilon":
        total = w.node("Add", total, number(0.25))
    elif change == "small epsilon":
        total = w.node("Add", total, number(1e-20))
    elif change == "clamped sum":
        total = w.node("Clip", total, number(1e-12))
    return w.node("Div", gates, total)


def softmax_top(w, sizes, x, change):
    """Softmax over all experts, the best, divided by their sum."""
    logits = in_f32(w, scores_of(w, sizes, x))
    number = lambda v: w.constant(np.array(v, np.float32))
    gates, ids = top(w, sizes, w.node("Softmax", logits, axis=0 if change == "softmax of tokens" else -1), change)
    return ids, narrow(w, renormalised(w, gates, change, number))


def top_softmax(w, sizes, x, change):
    """Softmax over the chosen logits."""
    logits, ids = top(w, sizes, scores_of(w, sizes, x), change)
    if change == "negated":
        logits = w.node("Neg", logits)
    return ids, w.node("Softmax", logits, axis=0 if change == "softmax of tokens" else -1)


def sigmoid_bias(w, sizes, x, change):
    """A bias chooses, the plain scores weigh, times a constant."""
    scores = w.node("Sigmoid", scores_of(w, sizes, x))
    biased = w.node("Sub" if change == "bias subtracted" else "Add", scores, w.weight(sizes.normal(sizes.experts)))
    values, ids = top(w, sizes, biased, change)
    gates = values if change == "biased gates" else w.node("GatherElements", scores, ids, axis=-1)
    gates = renormalised(w, gates, change, w.float)
    return ids, w.node("Mul", gates, w.float(-2.5 if change == "negative scale" else 2.5))


def best_one(w, sizes, x, change):
    """Switch: the best expert, by its probability."""
    probabilities = w.node("Softmax", scores_of(w, sizes, x), axis=-1)
    sizes.slots = 1
    arg = "ArgMin" if change == "smallest" else "ArgMax"
    return w.node(arg, probabilities, axis=-1, keepdims=1), w.reduce("ReduceMax", probabilities, -1, 1)


def by_position(w, sizes, x, change):
    """Experts in turn, however many tokens there are; an expert may come twice."""
    shape = w.node("Shape", x)
    count = w.node("Gather", shape, w.int(0), axis=0)
    rows = w.node("Unsqueeze", w.node("Range", w.int(0), count, w.int(1)), w.ints(1))
    slots = w.ints(*(range(sizes.slots) if change != "an expert twice" else [0] * sizes.slots))
    ids = w.node("Mod", w.node("Add", rows, slots), w.int(sizes.experts))
    return ids, w.node("Sigmoid", w.node("MatMul", x, w.weight(sizes.normal(sizes.hidden, sizes.slots))))


ROUTERS = {
    softmax_top: ("not renormalised", "divided by the largest", "sum of tokens", "large epsilon", "small epsilon",
                  "clamped sum", "smallest", "softmax of tokens"),
    top_softmax: ("negated", "softmax of tokens", "smallest"),
    sigmoid_bias: ("bias subtracted", "biased gates", "negative scale", "not renormalised", "large epsilon", "small epsilon",
                   "smallest"),
    best_one: ("smallest",),
    by_position: ("an expert twice",),
}

#===------------------------------------------------------------------------===#
# One expert
#===------------------------------------------------------------------------===#


class Experts:
    """Weights [E, H, n I], [E, I, H], and what stands between the two products."""

    def __init__(self, sizes, change):
        e, h, i = sizes.experts, sizes.hidden, sizes.inner
        self.kind = str(sizes.rng.choice(["silu", "gelu", "relu", "split", "interleaved"]))
        self.biased = self.kind in ("gelu", "relu") and sizes.rng.random() < 0.5
        self.sizes, self.change = sizes, change
        self.gate, self.up = sizes.normal(e, h, i), sizes.normal(e, h, i)
        self.down = sizes.normal(e, i, h)
        self.bias_up, self.bias_down = sizes.normal(e, 1, i), sizes.normal(e, 1, h)
        if self.kind == "split":
            self.up = np.concatenate([self.gate, self.up], -1)
        elif self.kind == "interleaved":
            self.up = np.stack([self.gate, self.up], -1).reshape(e, h, 2 * i)

    def columns(self, w, x, start, step):
        i = self.sizes.inner
        end = 2 * i if step == 2 else start + i
        return w.node("Slice", x, w.ints(start), w.ints(end), w.ints(-1), w.ints(step))

    def activation(self, w, x):
        if self.kind == "relu":
            return w.node("Relu", x)
        if self.kind == "gelu":
            erf = w.node("Erf", w.node("Div", x, w.float(2**0.5)))
            return w.node("Mul", w.node("Mul", x, w.node("Add", erf, w.float(1))), w.float(0.5))
        sigmoid = w.node("Sigmoid", w.node("Neg", x) if self.change == "swapped sign" else x)
        return w.node("Mul", x, sigmoid)

    def compute(self, w, x, weight, product=None):
        """The expert on x, where `weight` gives the operand for a stack of weights."""
        product = product or (lambda x, values: w.node("MatMul", x, weight(values)))
        up = product(x, self.up)
        if self.biased:
            up = w.node("Add", up, weight(self.bias_up))
        if self.kind == "silu":
            inner = w.node("Mul", self.activation(w, product(x, self.gate)), up)
        elif self.kind in ("split", "interleaved"):
            halves = (0, self.sizes.inner, 1) if self.kind == "split" else (0, 1, 2)
            gate, linear = self.columns(w, up, halves[0], halves[2]), self.columns(w, up, halves[1], halves[2])
            if self.change == "halves swapped":
                gate, linear = linear, gate
            inner = w.node("Mul", self.activation(w, gate), linear)
        else:
            inner = self.activation(w, up)
        out = product(inner, self.down)
        return w.node("Add", out, weight(self.bias_down)) if self.biased else out


#===------------------------------------------------------------------------===#
# Layers
#===------------------------------------------------------------------------===#


def gathered(w, sizes, x, ids, gates, experts, change):
    """The weights of the chosen experts, gathered for every token."""
    rows = w.node("Unsqueeze", x, w.ints(1, 2))
    weight = lambda values: w.node("Gather", w.weight(values), ids, axis=0)
    out = w.node("Squeeze", experts.compute(w, rows, weight), w.ints(2))
    weighted = w.node("Mul", out, w.node("Unsqueeze", gates, w.ints(2)))
    return w.reduce("ReduceMax" if change == "largest slot" else "ReduceSum", weighted, 1, 0)


def chosen_rows(w, sizes, x, ids, gates, experts, change):
    """Each expert on its tokens, added where they came from."""
    total = w.zeros_like(x)
    for e in range(sizes.experts):
        number = (e + 1) % sizes.experts if change == "experts permuted" else e
        places = w.node("NonZero", w.node("Equal", ids, w.int(number)))
        token = w.node("Gather", places, w.int(0), axis=0)
        rows = w.node("Gather", x, token, axis=0)
        gate = w.node("GatherND", gates, w.node("Transpose", places, perm=[1, 0]))
        out = experts.compute(w, rows, lambda values: w.weight(values[e]))
        out = w.node("Mul", out, w.node("Unsqueeze", gate, w.ints(1)))
        at = w.node("Unsqueeze", token, w.ints(1))
        if change == "overwritten":
            total = w.node("ScatterND", total, at, out)
        else:
            total = w.node("ScatterND", total, at, out, reduction="add")
    return total


def every_row(w, sizes, x, ids, gates, experts, change):
    """Each expert on all tokens, times the gate, which is mostly zero."""
    total = None
    for e in range(sizes.experts):
        hit = w.node("Equal", ids, w.int(e))
        gate = w.node("Where", hit, gates, w.float(0.125 if change == "others not zero" else 0))
        gate = w.reduce("ReduceMax" if change == "one of the slots" else "ReduceSum", gate, -1, 1)
        out = w.node("Mul", experts.compute(w, x, lambda values: w.weight(values[e])), gate)
        total = out if total is None else w.node("Add", total, out)
    return total


def gate_matrix(w, sizes, x, ids, gates, change):
    """Gates [T, E]."""
    shape = w.node("Concat", w.node("Shape", x, end=1), w.ints(sizes.experts), axis=0) if w.opset >= 15 else w.node(
        "Concat", w.node("Slice", w.node("Shape", x), w.ints(0), w.ints(1)), w.ints(sizes.experts), axis=0)
    zeros = w.node("Expand", w.float(0), shape)
    if change == "added" and w.opset >= 16:
        return w.node("ScatterElements", zeros, ids, gates, axis=1, reduction="add")
    return w.node("ScatterElements", zeros, ids, gates, axis=1)


def stacked(w, sizes, x, ids, gates, experts, change):
    """All tokens through a batched product over the experts."""
    matrix = gate_matrix(w, sizes, x, ids, gates, change)
    out = experts.compute(w, w.node("Unsqueeze", x, w.ints(0)), w.weight)
    column = w.node("Unsqueeze", w.node("Transpose", matrix, perm=[1, 0]), w.ints(2))
    return w.reduce("ReduceSum", w.node("Mul", out, column), 0, 0)


def summed_by_einsum(w, sizes, x, ids, gates, experts, change):
    """Products and sum as Einsum."""
    matrix = gate_matrix(w, sizes, x, ids, gates, change)

    def product(x, values):
        letters = "th,ehi->eti" if x is tokens else "eti,eih->eth"
        return w.node("Einsum", x, w.weight(values), equation=letters)

    tokens = x
    out = experts.compute(w, x, w.weight, product)
    if change == "gates squared":
        return w.node("Einsum", out, matrix, matrix, equation="eth,te,te->th")
    return w.node("Einsum", out, matrix, equation="eth,te->th")


def one_hot(w, sizes, x, ids, gates, experts, change):
    """A mask of one-hot rows, and an expert's column of it."""
    values = w.constant(np.array([0.0, 2.0 if change == "hot is two" else 1.0], w.element))
    hot = w.node("OneHot", ids, w.int(sizes.experts), values, axis=-1)
    matrix = w.reduce("ReduceSum", w.node("Mul", hot, w.node("Unsqueeze", gates, w.ints(2))), 1, 0)
    outs = []
    for e in range(sizes.experts):
        column = w.node("Slice", matrix, w.ints(e), w.ints(e + 1), w.ints(1))
        out = experts.compute(w, x, lambda stack: w.weight(stack[e]))
        outs.append(w.node("Unsqueeze", w.node("Mul", out, column), w.ints(0)))
    together = w.node("Concat", *outs, axis=0) if len(outs) > 1 else outs[0]
    return w.reduce("ReduceSum", together, 0, 0)


def expert_loop(w, sizes, x, ids, gates, experts, change):
    """An ONNX Loop over the experts, which picks the weights of each."""
    body = w.subgraph()
    i, going, before = body.name("i"), body.name("going"), body.name("sum")
    dims = [None, sizes.hidden]
    hit = body.node("Equal", ids, i)
    gate = body.reduce("ReduceSum", body.node("Where", hit, gates, body.float(0)), -1, 1)
    out = experts.compute(body, x, lambda values: body.node("Gather", body.weight(values), i, axis=0))
    after = body.node("Add", before, body.node("Mul", out, gate))
    more = body.node("Identity", going)
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    kind = helper.np_dtype_to_tensor_dtype(w.element)
    graph = body.graph("body", [info(i, 7, []), info(going, 9, []), info(before, kind, dims)],
                       [info(more, 9, []), info(after, kind, dims)])
    trips = w.int(sizes.experts - 1 if change == "last expert missing" else sizes.experts)
    return w.node("Loop", trips, w.constant(np.array(True)), w.zeros_like(x), body=graph)


FORMS = {
    gathered: ("largest slot",),
    chosen_rows: ("overwritten", "experts permuted"),
    every_row: ("others not zero", "one of the slots"),
    stacked: ("added",),
    summed_by_einsum: ("gates squared", "added"),
    one_hot: ("hot is two",),
    expert_loop: ("last expert missing",),
}
# Forms of which a recogniser says that it takes them.
RECOGNISED = (gathered, chosen_rows, every_row, stacked, summed_by_einsum, one_hot)
EXPERT_CHANGES = ("swapped sign", "halves swapped")
