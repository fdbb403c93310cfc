// Launches that wait to be handed to the driver together. When a run asks for the same kernels as the run before, they
// go as one graph, in which only what has changed is set: in decoding that is all launches of a step.
#pragma once
#include "devices/cuda/driver.h"

#include <vector>

namespace moert::cuda {

struct QueuedLaunch {
  Function function = nullptr;
  uint32_t blocks = 0, threads = 0, sharedBytes = 0;
  bool isCooperative = false;
  std::vector<uint64_t> parameters;

  bool operator==(const QueuedLaunch &) const = default;
};

class LaunchQueue {
public:
  LaunchQueue(const Driver &driver, Stream stream) : driver(driver), stream(stream) {}
  LaunchQueue(const LaunchQueue &) = delete;
  // Expects the context to be current.
  ~LaunchQueue() { forgetGraph(); }

  // A place for the next launch, with the parameters of an earlier one to be overwritten.
  QueuedLaunch &add();
  // Hands over what waits. Afterwards the queue is empty, also if that failed.
  Status flush();
  void discard() { count = 0; }

private:
  bool hasKernelsOf(const std::vector<QueuedLaunch> &other, size_t otherCount) const;
  Status launchOneByOne();
  Status launchGraph();
  Status makeGraph();
  Status updateGraph();
  void forgetGraph();
  void describe(QueuedLaunch &launch, KernelNode &node);

  const Driver &driver;
  const Stream stream;
  std::vector<QueuedLaunch> launches, previous; // the first `count`, `previousCount`
  size_t count = 0, previousCount = 0;
  // What `nodes` of the graph are set to; empty without a graph.
  std::vector<QueuedLaunch> inGraph;
  std::vector<GraphNode> nodes;
  Graph graph = nullptr;
  GraphExec graphExec = nullptr;
  std::vector<void *> pointers;
};

} // namespace moert::cuda
