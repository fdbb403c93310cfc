// Immediate post-dominators by the iterative algorithm on the reversed graph of instructions, whose root is a node
// behind the last instruction that stands for the end of a lane.
#include "devices/emu/reconvergence.h"

#include <algorithm>

namespace moert::emu {
namespace {

bool isConditional(const Instruction &instruction) { return instruction.guard != noSlot; }
bool isBranch(const Instruction &instruction) { return instruction.target != noInstruction; }

// Whether lanes that come here end at once.
bool endsAt(const std::vector<Instruction> &code, uint32_t index) {
  for (size_t steps = 0; steps < code.size() && isBranch(code[index]) && !isConditional(code[index]); ++steps)
    index = code[index].target;
  return code[index].isExit && !isConditional(code[index]);
}

// Where lanes go on from a branch of which one way ends them at once; noInstruction if it is not of that kind.
uint32_t findOnlyWay(const std::vector<Instruction> &code, uint32_t branch) {
  const uint32_t target = code[branch].target, next = branch + 1;
  if (!isConditional(code[branch]) || endsAt(code, target) == endsAt(code, next))
    return noInstruction;
  return endsAt(code, target) ? next : target;
}

class PostDominators {
public:
  explicit PostDominators(const std::vector<Instruction> &code)
      : end(static_cast<uint32_t>(code.size())), successors(code.size() + 1), predecessors(code.size() + 1),
        order(code.size() + 1, noInstruction), immediate(code.size() + 1, noInstruction) {
    // Lanes that end need not be waited for, so ways that end lanes at once do not count,
    std::vector<std::pair<uint32_t, uint32_t>> leftOut;
    for (uint32_t i = 0; i < end; ++i) {
      const Instruction &instruction = code[i];
      const uint32_t onlyWay = isBranch(instruction) ? findOnlyWay(code, i) : noInstruction;
      const auto add = [&](uint32_t to, bool counts) {
        if (counts)
          addEdge(i, to);
        else
          leftOut.push_back({i, to});
      };
      if (instruction.isExit)
        add(end, !isConditional(instruction));
      if (isBranch(instruction))
        add(instruction.target, onlyWay == noInstruction || onlyWay == instruction.target);
      if (isConditional(instruction) || (!instruction.isExit && !isBranch(instruction)))
        add(i + 1, onlyWay == noInstruction || onlyWay == i + 1);
    }
    // except where nothing else leads to the end, as in a loop that is left to end.
    numberNodes();
    std::erase_if(leftOut, [&](const auto &edge) { return order[edge.first] != noInstruction; });
    for (const auto &[from, to] : leftOut)
      addEdge(from, to);
    if (!leftOut.empty())
      numberNodes();
    compute();
  }

  // noInstruction if all ways meet only at the end, or if none leads there.
  uint32_t of(uint32_t instruction) const {
    return immediate[instruction] == end ? noInstruction : immediate[instruction];
  }

private:
  void addEdge(uint32_t from, uint32_t to) {
    successors[from].push_back(to);
    predecessors[to].push_back(from);
  }

  // Numbers nodes in postorder of the reversed graph, so that a node's number is smaller than its dominator's.
  void numberNodes() {
    postorder.clear();
    std::vector<std::pair<uint32_t, size_t>> stack = {{end, 0}};
    std::vector<bool> isSeen(end + 1);
    isSeen[end] = true;
    while (!stack.empty()) {
      const auto [node, edge] = stack.back();
      if (edge == predecessors[node].size()) {
        order[node] = static_cast<uint32_t>(postorder.size());
        postorder.push_back(node);
        stack.pop_back();
        continue;
      }
      ++stack.back().second;
      const uint32_t before = predecessors[node][edge];
      if (!isSeen[before]) {
        isSeen[before] = true;
        stack.push_back({before, 0});
      }
    }
  }

  uint32_t intersect(uint32_t a, uint32_t b) const {
    while (a != b)
      (order[a] < order[b] ? a : b) = immediate[order[a] < order[b] ? a : b];
    return a;
  }

  void compute() {
    immediate[end] = end;
    for (bool hasChanged = true; hasChanged;) {
      hasChanged = false;
      for (size_t i = postorder.size() - 1; i-- > 0;) {
        const uint32_t node = postorder[i];
        uint32_t found = noInstruction;
        for (uint32_t next : successors[node])
          if (immediate[next] != noInstruction)
            found = found == noInstruction ? next : intersect(found, next);
        hasChanged |= found != immediate[node];
        immediate[node] = found;
      }
    }
  }

  uint32_t end;
  std::vector<std::vector<uint32_t>> successors, predecessors;
  std::vector<uint32_t> order, immediate, postorder;
};

} // namespace

void findReconvergence(std::vector<Instruction> &code) {
  const PostDominators postDominators(code);
  for (uint32_t i = 0; i < code.size(); ++i) {
    if (!isBranch(code[i]))
      continue;
    const uint32_t onlyWay = findOnlyWay(code, i);
    code[i].reconvergence = onlyWay == noInstruction ? postDominators.of(i) : onlyWay;
  }
}

} // namespace moert::emu
