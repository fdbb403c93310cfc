"""The lines of PTX as far as mutations look into them."""
import re

INSTRUCTION = re.compile(r"^\s*(?:@(!?)(%p\d+)\s+)?([a-z][\w.:]*)(?:\s+(.*?))?;\s*$")
ENTRY = re.compile(r"^(?:\.visible )?\.entry (\w+)\(")
ADDRESS = re.compile(r"\[(%?\w+)(?:\+(-?\d+))?\]")
INTEGER = re.compile(r"(?<![\w%.+$])-?\d+(?![\w.])")
WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}


class Instruction:
    """One line; `number` counts from 0 in the text of the module."""

    def __init__(self, number, match):
        self.number = number
        self.negated, self.guard = bool(match.group(1)), match.group(2)
        self.opcode, self.operands = match.group(3), match.group(4) or ""
        self.parts = self.opcode.split(".")

    def guard_text(self):
        return f"@{'!' if self.negated else ''}{self.guard} " if self.guard else ""

    def text(self, opcode=None, operands=None):
        return f"\t{self.guard_text()}{opcode or self.opcode} {self.operands if operands is None else operands};"

    def operand_list(self):
        """Operands that are no vectors, split at commas."""
        return [operand.strip() for operand in re.sub(r"\{.*?\}", "{}", self.operands).split(",")]

    def bits(self):
        """Of its type, 32 if it has none."""
        found = re.search(r"\d+$", self.parts[-1])
        return int(found.group()) if found and found.group() in WIDTHS else 32

    def access_bytes(self):
        vector = next((int(part[1:]) for part in self.parts if part in ("v2", "v4")), 1)
        return 16 if self.parts[0] in ("cp", "ldmatrix", "stmatrix") else vector * self.bits() // 8

    def is_access(self):
        return self.parts[0] in ("ld", "st", "cp", "ldmatrix", "stmatrix", "red", "atom") and "param" not in self.parts \
            and ADDRESS.search(self.operands) is not None

    def space(self):
        if self.parts[0] in ("ldmatrix", "stmatrix"):
            return "shared"
        return "global" if "global" in self.parts else "shared" if "shared" in self.parts else ""


class Kernel:
    """The instructions of one entry. `labels` maps names to the index of the instruction that follows."""

    def __init__(self, name, lines, first):
        self.name, self.lines, self.first = name, lines, first
        self.instructions, self.labels = [], {}
        self.threads = int(next(re.search(r"\d+", line).group() for line in lines
                                if line.startswith((".maxntid", ".reqntid"))))
        self.buffers = [re.search(r"\w+_param_\d+", line).group() for line in lines if ".align 256" in line]
        for number, line in enumerate(lines):
            label = re.match(r"^(\$\w+):", line)
            match = INSTRUCTION.match(line)
            if label:
                self.labels[label.group(1)] = len(self.instructions)
            elif match:
                self.instructions.append(Instruction(first + number, match))

    def body(self):
        """What makes kernels the same: all but their names."""
        return "\n".join(self.lines).replace(self.name, "")


def read_kernels(text):
    lines = text.split("\n")
    kernels, begin = [], None
    for number, line in enumerate(lines):
        entry = ENTRY.match(line)
        if entry:
            begin, name = number, entry.group(1)
        elif line == "}" and begin is not None:
            kernels.append(Kernel(name, lines[begin:number + 1], begin))
            begin = None
    return kernels
