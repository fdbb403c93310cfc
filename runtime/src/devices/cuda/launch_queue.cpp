// A graph is a chain of kernels, since each one may depend on the one before.
#include "devices/cuda/launch_queue.h"

#include <algorithm>
#include <utility>

namespace moert::cuda {

// For fewer launches a graph saves nothing.
static constexpr size_t smallestGraph = 4;

QueuedLaunch &LaunchQueue::add() {
  if (count == launches.size())
    launches.emplace_back();
  return launches[count++];
}

bool LaunchQueue::hasKernelsOf(const std::vector<QueuedLaunch> &other, size_t otherCount) const {
  return count == otherCount && std::equal(launches.begin(), launches.begin() + static_cast<ptrdiff_t>(count),
                                           other.begin(), [](const QueuedLaunch &a, const QueuedLaunch &b) {
                                             return a.function == b.function && !a.isCooperative && !b.isCooperative;
                                           });
}

Status LaunchQueue::flush() {
  if (count == 0)
    return Status::success();
  const bool isRepeated = driver.hasGraphs() && count >= smallestGraph && hasKernelsOf(previous, previousCount);
  Status status = isRepeated ? launchGraph() : launchOneByOne();
  std::swap(launches, previous);
  previousCount = std::exchange(count, 0);
  return status;
}

// The pointers to its parameters are valid until the next call.
void LaunchQueue::describe(QueuedLaunch &launch, KernelNode &node) {
  pointers.clear();
  for (uint64_t &parameter : launch.parameters)
    pointers.push_back(&parameter);
  node = {launch.function, launch.blocks,    1, 1, launch.threads, 1, 1, launch.sharedBytes,
          pointers.data(), /*extra=*/nullptr};
}

Status LaunchQueue::launchOneByOne() {
  for (size_t i = 0; i < count; ++i) {
    KernelNode node;
    describe(launches[i], node);
    const Result result = launches[i].isCooperative
                              ? driver.launchCooperative(node.function, node.gridX, 1, 1, node.blockX, 1, 1,
                                                         node.sharedBytes, stream, node.parameters)
                              : driver.launchKernel(node.function, node.gridX, 1, 1, node.blockX, 1, 1,
                                                    node.sharedBytes, stream, node.parameters, nullptr);
    MOERT_TRY(driver.check(result, "launch"));
  }
  return Status::success();
}

Status LaunchQueue::launchGraph() {
  const bool fits = graphExec && hasKernelsOf(inGraph, inGraph.size());
  MOERT_TRY(fits ? updateGraph() : makeGraph());
  return driver.check(driver.graphLaunch(graphExec, stream), "launch of a graph");
}

Status LaunchQueue::makeGraph() {
  forgetGraph();
  MOERT_TRY(driver.check(driver.graphCreate(&graph, 0), "new graph"));
  for (size_t i = 0; i < count; ++i) {
    KernelNode node;
    describe(launches[i], node);
    GraphNode added = nullptr;
    const GraphNode *before = nodes.empty() ? nullptr : &nodes.back();
    MOERT_TRY(driver.check(driver.graphAddKernel(&added, graph, before, before ? 1 : 0, &node), "kernel of a graph"));
    nodes.push_back(added);
  }
  MOERT_TRY(driver.check(driver.graphInstantiate(&graphExec, graph, 0), "instance of a graph"));
  inGraph.assign(launches.begin(), launches.begin() + static_cast<ptrdiff_t>(count));
  return Status::success();
}

Status LaunchQueue::updateGraph() {
  for (size_t i = 0; i < count; ++i) {
    if (launches[i] == inGraph[i])
      continue;
    KernelNode node;
    describe(launches[i], node);
    const Status status =
        driver.check(driver.graphSetKernel(graphExec, nodes[i], &node), "parameters of a kernel of a graph");
    if (!status.ok()) {
      forgetGraph(); // parts of it are set
      return status;
    }
    inGraph[i] = launches[i];
  }
  return Status::success();
}

void LaunchQueue::forgetGraph() {
  if (graphExec)
    driver.graphExecDestroy(graphExec);
  if (graph)
    driver.graphDestroy(graph);
  graphExec = nullptr;
  graph = nullptr;
  nodes.clear();
  inGraph.clear();
}

} // namespace moert::cuda
