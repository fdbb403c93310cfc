"""Ten ways in which a kernel may be wrong. Each maps (kernel, index of an instruction) to the changes that could be made
there: texts that take the place of the instruction ("" drops it), or pairs of another instruction and its text."""
import re

from ptx import ADDRESS, INTEGER


def weaken_wait(kernel, index):
    """A wait for copies that is missing, or that lets one more group be under way."""
    found = kernel.instructions[index]
    if found.opcode == "cp.async.wait_all":
        return [""]
    if found.opcode != "cp.async.wait_group":
        return []
    return ["", found.text(operands=str(int(found.operands) + 1))]


def shrink_barrier(kernel, index):
    """A barrier that is missing, or that is for half of the threads."""
    found = kernel.instructions[index]
    if not found.opcode.startswith(("bar.sync", "bar.warp.sync", "barrier.")):
        return []
    half = [found.text(operands=f"{found.operands}, {kernel.threads // 2}")] if found.operands.strip().isdigit() else []
    return [""] + half


def skip_fence(kernel, index):
    """A fence that is missing, an access that orders nothing any more, copies that no group holds."""
    found = kernel.instructions[index]
    if found.parts[0] in ("fence", "membar") or found.opcode == "cp.async.commit_group":
        return [""]
    weaker = re.sub(r"\.(acquire|release|acq_rel)\b", ".relaxed", found.opcode)
    return [found.text(opcode=weaker)] if weaker != found.opcode else []


def plain_atomic(kernel, index):
    """An atomic as a load, an operation and a store."""
    found = kernel.instructions[index]
    if found.parts[0] not in ("atom", "red"):
        return []
    kind = found.parts[-1]
    name = next((part for part in found.parts[1:-1] if part in ("add", "max", "min", "and", "or", "xor", "exch")), None)
    operands = found.operand_list()
    if found.parts[0] == "red":
        operands = ["old"] + operands
    if not name or len(operands) != 3:
        return []
    space, guard, bits = found.space(), found.guard_text(), found.bits()
    step = f"mov.b{bits} new, {operands[2]};" if name == "exch" else f"{name}.{kind} new, old, {operands[2]};"
    result = f" {guard}mov.b{bits} {operands[0]}, old;" if found.parts[0] == "atom" else ""
    access = f".{space}.b{bits}" if space else f".b{bits}"
    return [f"\t{{ .reg .b{bits} old, new; {guard}ld{access} old, {operands[1]}; {guard}{step} "
            f"{guard}st{access} {operands[1]}, new;{result} }}"]


def shift_index(kernel, index):
    """An address one element, or one access, further on or back."""
    found = kernel.instructions[index]
    if not found.is_access():
        return []
    results = []
    for match in ADDRESS.finditer(found.operands):
        for step in {found.bits() // 8 if found.parts[0] in ("ld", "st", "atom", "red") else 16, found.access_bytes()}:
            for offset in (step, -step):
                address = f"[{match.group(1)}+{int(match.group(2) or 0) + offset}]"
                results.append(found.text(operands=found.operands[:match.start()] + address +
                                          found.operands[match.end():]))
    return results


def find_bound(kernel, index):
    """The comparison that decides about a branch back, or nothing."""
    found = kernel.instructions[index]
    if found.parts[0] != "bra" or not found.guard or kernel.labels.get(found.operands, index + 1) > index:
        return None
    for at in range(index - 1, max(kernel.labels[found.operands], index - 40) - 1, -1):
        earlier = kernel.instructions[at]
        if earlier.operand_list()[0] == found.guard:
            return earlier if earlier.parts[0] == "setp" and not earlier.guard else None
    return None


def shorten_loop(kernel, index):
    """A loop that ends one step early."""
    compare = find_bound(kernel, index)
    if not compare or not re.match(r"[bsu]\d+$", compare.parts[-1]):
        return []
    first = kernel.labels[kernel.instructions[index].operands]
    target, *sides = compare.operand_list()
    for candidate in kernel.instructions[first:index]:
        operands = candidate.operand_list()
        if candidate.parts[0] == "add" and operands[0] in sides and operands[0] == operands[1] and not candidate.guard:
            kind, further = compare.bits(), ["next" if side == operands[0] else side for side in sides]
            return [(compare, f"\t{{ .reg .b{kind} next; add.s{kind} next, {operands[0]}, {operands[2]}; "
                              f"{compare.opcode} {target}, {', '.join(further)}; }}")]
    return []


def swap_buffers(kernel, index):
    """Another buffer's address, or two accesses of one space that have taken each other's base."""
    found = kernel.instructions[index]
    if found.parts[0] == "ld" and "param" in found.parts:
        match = re.search(r"\w+_param_\d+", found.operands)
        if not match or match.group() not in kernel.buffers:
            return []
        return [found.text(operands=found.operands.replace(match.group() + "]", other + "]"))
                for other in kernel.buffers if other != match.group()]
    if not found.is_access():
        return []
    own = ADDRESS.search(found.operands)
    bases = {match.group(1) for other in kernel.instructions[max(0, index - 12):index + 13]
             if other.is_access() and other.space() == found.space()
             for match in [ADDRESS.search(other.operands)]}
    changed = []
    for base in sorted(bases - {own.group(1)}):
        address = f"[{base}+{own.group(2) or 0}]"
        changed.append(found.text(operands=found.operands[:own.start()] + address + found.operands[own.end():]))
    return changed


def flip_predicate(kernel, index):
    """A guard that holds where it did not, or a choice of the other value."""
    found = kernel.instructions[index]
    if found.guard:
        return [re.sub(r"^\t@!?", "\t@" if found.negated else "\t@!", found.text())]
    if found.parts[0] == "selp":
        target, first, second, predicate = found.operand_list()
        return [found.text(operands=f"{target}, {second}, {first}, {predicate}")] if first != second else []
    return []


def change_constant(kernel, index):
    """An integer that is one off, a floating-point number a quarter off, another rounding of a conversion."""
    found = kernel.instructions[index]
    if found.parts[0] == "cvt":
        return [found.text(opcode=found.opcode.replace(old, new)) for old, new in {".rn": ".rz", ".rmi": ".rpi"}.items()
                if old[1:] in found.parts]
    if found.parts[0] in ("ld", "st", "cp", "ldmatrix", "stmatrix", "red", "atom", "bar", "barrier", "vote", "bra"):
        return []
    results = []
    for match in INTEGER.finditer(found.operands):
        for change in (1, -1):
            results.append(found.text(operands=found.operands[:match.start()] + str(int(match.group()) + change) +
                                      found.operands[match.end():]))
    for match in re.finditer(r"0f([0-9A-F]{8})", found.operands):
        number = f"0f{int(match.group(1), 16) ^ 0x00200000:08X}" if int(match.group(1), 16) else "0f3E800000"
        results.append(found.text(operands=found.operands.replace(match.group(), number)))
    return results


def drop_store(kernel, index):
    """A store or a copy that is missing."""
    found = kernel.instructions[index]
    is_copy = found.opcode.startswith("cp.async.c") and "commit" not in found.opcode
    return [""] if found.parts[0] in ("st", "stmatrix", "red") or is_copy else []


OPERATORS = [weaken_wait, shrink_barrier, skip_fence, plain_atomic, shift_index, shorten_loop, swap_buffers,
             flip_predicate, change_constant, drop_store]
