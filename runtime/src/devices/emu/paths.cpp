// The tree of ways of a warp. Its leaves run; an inner node waits for its children to meet.
#include "devices/emu/paths.h"

namespace moert::emu {

void Paths::reset(LaneMask lanes) {
  nodes.assign(1, {0, noInstruction, lanes, none, 0, noBarrier});
  live = lanes;
  running = 0;
}

void Paths::add(uint32_t pc, uint32_t meeting, LaneMask mask, uint32_t parent) {
  if (parent != none)
    ++nodes[parent].children;
  const Node node = {pc, meeting, mask, parent, 0, noBarrier};
  for (Node &free : nodes)
    if (free.mask == 0) {
      free = node;
      return;
    }
  nodes.push_back(node);
}

void Paths::remove(uint32_t node) {
  nodes[node].mask = 0;
  if (const uint32_t parent = nodes[node].parent; parent != none)
    --nodes[parent].children;
}

// The next way that can run, searched from behind `after`.
uint32_t Paths::choose(uint32_t after) {
  const auto count = static_cast<uint32_t>(nodes.size());
  for (uint32_t i = 1; i <= count; ++i) {
    const uint32_t candidate = (after + i) % count;
    const Node &node = nodes[candidate];
    if (node.mask && node.children == 0 && node.barrier == noBarrier) {
      running = candidate;
      return node.pc;
    }
  }
  running = none;
  return noInstruction;
}

uint32_t Paths::branch(uint32_t next, uint32_t target, uint32_t meeting, LaneMask taken) {
  const Node current = nodes[running];
  // The way that runs becomes the one that continues where the lanes meet, unless it ends there itself.
  uint32_t parent = running;
  if (current.meeting == meeting && current.parent != none) {
    parent = current.parent;
    remove(running);
  } else {
    nodes[running].pc = meeting;
  }
  if (target != meeting)
    add(target, meeting, taken, parent);
  if (next != meeting)
    add(next, meeting, current.mask & ~taken, parent);
  return choose(running);
}

uint32_t Paths::meet() {
  const uint32_t parent = nodes[running].parent;
  remove(running);
  if (nodes[parent].children)
    return choose(running);
  running = parent;
  return nodes[parent].pc;
}

uint32_t Paths::end(LaneMask mask, uint32_t pc) {
  live &= ~mask;
  nodes[running].pc = pc;
  // Children come to stand before or behind their parents, so this repeats until nothing is left to remove.
  for (bool hasChanged = true; hasChanged;) {
    hasChanged = false;
    for (uint32_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i].mask == 0)
        continue;
      nodes[i].mask &= live;
      if (nodes[i].mask == 0) {
        remove(i);
        hasChanged = true;
      }
    }
  }
  const bool goesOn = nodes[running].mask && nodes[running].children == 0;
  return goesOn ? pc : choose(running);
}

uint32_t Paths::wait(uint32_t barrier, uint32_t pc) {
  nodes[running].pc = pc;
  nodes[running].barrier = barrier;
  return choose(running);
}

uint32_t Paths::rotate(uint32_t pc) {
  nodes[running].pc = pc;
  return choose(running);
}

uint32_t Paths::release(uint32_t barrier, uint32_t pc) {
  if (running != none)
    nodes[running].pc = pc;
  for (Node &node : nodes)
    if (node.barrier == barrier)
      node.barrier = noBarrier;
  return running != none ? pc : choose(0);
}

} // namespace moert::emu
