// Which lanes of a warp run where. Lanes that disagree about a branch go different ways until the immediate
// post-dominator of the branch, one way at a time; ways that wait for something let the others of the warp run.
#pragma once
#include "devices/emu/instruction.h"

#include <vector>

namespace moert::emu {

class Paths {
public:
  static constexpr uint32_t noBarrier = ~uint32_t(0);

  void reset(LaneMask lanes);

  // Of the way that runs. There is one unless all ways wait or all lanes have ended.
  LaneMask getMask() const { return nodes[running].mask; }
  uint32_t getMeeting() const { return nodes[running].meeting; }
  bool isRunning() const { return running != none; }
  LaneMask getLive() const { return live; }

  // Each of these returns where the way that runs now goes on, or noInstruction if none can.
  // Parts the running way: `taken` goes to `target`, the rest to `next`, and they meet at `meeting`.
  uint32_t branch(uint32_t next, uint32_t target, uint32_t meeting, LaneMask taken);
  // The running way has arrived at its meeting point.
  uint32_t meet();
  // Lanes of the running way, which is at `pc`, end.
  uint32_t end(LaneMask mask, uint32_t pc);
  // The running way waits at a barrier and goes on at `pc`.
  uint32_t wait(uint32_t barrier, uint32_t pc);
  // Another way runs for a while.
  uint32_t rotate(uint32_t pc);
  // What waits at the barrier can run.
  uint32_t release(uint32_t barrier, uint32_t pc);

  // Calls visitor(barrier, pc, mask) for each way that waits.
  template <typename Visitor> void forEachWaiting(Visitor visitor) const {
    for (const Node &node : nodes)
      if (node.mask && node.barrier != noBarrier)
        visitor(node.barrier, node.pc, node.mask);
  }

private:
  static constexpr uint32_t none = ~uint32_t(0);
  // A way, or what several ways will be once they have met: then it has children. A free node has no lanes.
  struct Node {
    uint32_t pc, meeting;
    LaneMask mask;
    uint32_t parent, children, barrier;
  };

  void add(uint32_t pc, uint32_t meeting, LaneMask mask, uint32_t parent);
  void remove(uint32_t node);
  uint32_t choose(uint32_t after);

  std::vector<Node> nodes;
  uint32_t running = none;
  LaneMask live = 0; // lanes that have not ended
};

} // namespace moert::emu
