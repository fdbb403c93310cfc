// Streams do their work at once; only errors of kernels are late, as those of a GPU are. Handles are pointers to the
// objects behind them.
#include "fake_cuda.h"

#include "devices/emu/emulator.h"

#include <cstring>
#include <memory>
#include <optional>

namespace moert::cuda {

struct ModuleObject {
  emu::Module module;
};
struct FunctionObject {
  const emu::Kernel *kernel;
};
struct EventObject {
  int recorded = 0;
};
struct GraphNodeObject {
  Function function;
  unsigned blocks, threads, sharedBytes;
  std::vector<uint64_t> parameters;
};
struct GraphObject {
  std::vector<std::unique_ptr<GraphNodeObject>> nodes;
};
struct GraphExecObject {
  std::vector<GraphNodeObject> nodes;
  std::map<GraphNode, size_t> positions;
};

} // namespace moert::cuda

namespace moert::test {

using namespace cuda;

static FakeCuda *fake = nullptr;
static std::optional<emu::Emulator> gpu;
static std::map<std::string, FunctionObject> functions;
static Result lateError = success;
static thread_local std::vector<Context> contexts;

static Context contextOf(DeviceId device) { return reinterpret_cast<Context>(uintptr_t(16 * (device + 1))); }
static Stream const theStream = reinterpret_cast<Stream>(uintptr_t(64));

struct FakeCalls {
  // Counts a call; what it shall return if it is to fail.
  static Result enter(const char *symbol, bool needsContext = true) {
    ++fake->calls[symbol];
    if (needsContext && contexts.empty())
      return errorInvalidContext;
    const auto failing = fake->failures.find(symbol);
    if (failing == fake->failures.end() || failing->second.successes-- > 0)
      return success;
    const Result result = failing->second.result;
    fake->failures.erase(failing);
    return result;
  }
  static void live(const char *kind, int change) { fake->live[kind] += change; }
  // Of a call on a stream: what went wrong there before shows now.
  static Result enterStream(const char *symbol) {
    const Result result = enter(symbol);
    return result != success ? result : lateError;
  }
};

#define ENTER(symbol)                                                                                                  \
  if (const Result entered = FakeCalls::enter(symbol); entered != success)                                             \
    return entered;
#define ENTER_WITHOUT_CONTEXT(symbol)                                                                                  \
  if (const Result entered = FakeCalls::enter(symbol, false); entered != success)                                      \
    return entered;
#define ENTER_STREAM(symbol, stream)                                                                                   \
  if (const Result entered = FakeCalls::enterStream(symbol); entered != success)                                       \
    return entered;                                                                                                    \
  if (stream != theStream)                                                                                             \
    return errorInvalidValue;

namespace {

Result toResult(const Status &status) { return status.ok() ? success : errorInvalidValue; }

Result init(unsigned) {
  ENTER_WITHOUT_CONTEXT("cuInit");
  return fake->devices ? success : errorNoDevice;
}
Result driverGetVersion(int *version) {
  ENTER_WITHOUT_CONTEXT("cuDriverGetVersion");
  *version = fake->version;
  return success;
}
Result getErrorString(Result result, const char **text) {
  static const std::map<Result, const char *> texts = {
      {errorOutOfMemory, "out of memory"},
      {errorNoDevice, "no CUDA-capable device is detected"},
      {errorInvalidPtx, "a PTX JIT compilation failed"},
      {errorIllegalAddress, "an illegal memory access was encountered"},
      {errorLaunchOutOfResources, "too many resources requested for launch"},
      {errorLaunchFailed, "unspecified launch failure"}};
  const auto found = texts.find(result);
  *text = found == texts.end() ? nullptr : found->second;
  return *text ? success : errorInvalidValue;
}
Result deviceGetCount(int *count) {
  ENTER_WITHOUT_CONTEXT("cuDeviceGetCount");
  *count = fake->devices;
  return success;
}
Result deviceGet(DeviceId *device, int ordinal) {
  ENTER_WITHOUT_CONTEXT("cuDeviceGet");
  *device = ordinal;
  return ordinal < fake->devices ? success : errorInvalidDevice;
}
Result deviceGetAttribute(int *value, int attribute, DeviceId) {
  ENTER_WITHOUT_CONTEXT("cuDeviceGetAttribute");
  switch (attribute) {
  case attributeCapabilityMajor:
    *value = fake->capability / 10;
    return success;
  case attributeCapabilityMinor:
    *value = fake->capability % 10;
    return success;
  case attributeSharedBytesOptIn:
    *value = 163 << 10;
    return success;
  case attributeMemoryPools:
    *value = fake->hasPools;
    return success;
  }
  return errorInvalidValue;
}
Result primaryContextRetain(Context *context, DeviceId device) {
  ENTER_WITHOUT_CONTEXT("cuDevicePrimaryCtxRetain");
  *context = contextOf(device);
  FakeCalls::live("contexts", 1);
  return success;
}
Result primaryContextRelease(DeviceId) {
  FakeCalls::live("contexts", -1);
  return success;
}
Result contextPush(Context context) {
  ENTER_WITHOUT_CONTEXT("cuCtxPushCurrent_v2");
  contexts.push_back(context);
  return success;
}
Result contextPop(Context *context) {
  if (contexts.empty())
    return errorInvalidContext;
  *context = contexts.back();
  contexts.pop_back();
  return success;
}
Result streamCreate(Stream *stream, unsigned flags) {
  ENTER("cuStreamCreate");
  *stream = theStream;
  FakeCalls::live("streams", 1);
  return flags == streamNonBlocking ? success : errorInvalidValue;
}
Result streamDestroy(Stream) {
  FakeCalls::live("streams", -1);
  return success;
}
Result streamSynchronize(Stream stream) {
  ENTER_STREAM("cuStreamSynchronize", stream);
  return success;
}
Result eventCreate(Event *event, unsigned) {
  ENTER("cuEventCreate");
  *event = new EventObject;
  FakeCalls::live("events", 1);
  return success;
}
Result eventDestroy(Event event) {
  delete event;
  FakeCalls::live("events", -1);
  return success;
}
Result eventRecord(Event event, Stream stream) {
  ENTER_STREAM("cuEventRecord", stream);
  ++event->recorded;
  return success;
}
Result eventElapsedTime(float *milliseconds, Event begin, Event end) {
  ENTER("cuEventElapsedTime");
  *milliseconds = 0.25f;
  return begin->recorded && end->recorded ? success : errorInvalidValue;
}

// Takes PTX alone; anything else is a cubin for a GPU that this one is not.
Result moduleLoadDataEx(Module *module, const void *image, unsigned options, int *, void **values) {
  ENTER("cuModuleLoadDataEx");
  const auto *text = static_cast<const char *>(image);
  if (std::memcmp(text,
                  "\x7f"
                  "ELF",
                  4) == 0)
    return errorNoBinaryForGpu;
  auto loaded = std::make_unique<ModuleObject>();
  if (const Status status = emu::Module::load(text, loaded->module, &gpu->getMemory()); !status.ok()) {
    if (options == 2)
      std::strncpy(static_cast<char *>(values[0]), status.getMessage().c_str(),
                   reinterpret_cast<uintptr_t>(values[1]) - 1);
    return errorInvalidPtx;
  }
  *module = loaded.release();
  FakeCalls::live("modules", 1);
  return success;
}
Result moduleUnload(Module module) {
  ENTER("cuModuleUnload");
  delete module;
  FakeCalls::live("modules", -1);
  return success;
}
Result moduleGetFunction(Function *function, Module module, const char *name) {
  ENTER("cuModuleGetFunction");
  const emu::Kernel *kernel = module->module.findKernel(name);
  if (!kernel)
    return errorNotFound;
  *function = &(functions[name] = {kernel});
  return success;
}
Result functionSetAttribute(Function, int attribute, int) {
  ENTER("cuFuncSetAttribute");
  return attribute == functionAttributeDynamicSharedBytes ? success : errorInvalidValue;
}

Result memAlloc(Address *address, size_t size) {
  ENTER("cuMemAlloc_v2");
  if (size == 0)
    return errorInvalidValue;
  *address = gpu->getMemory().allocate(size);
  FakeCalls::live("allocations", 1);
  return success;
}
Result memFree(Address address) {
  ENTER("cuMemFree_v2");
  FakeCalls::live("allocations", -1);
  return toResult(gpu->getMemory().release(address));
}
Result memAllocAsync(Address *address, size_t size, Stream stream) {
  ENTER_STREAM("cuMemAllocAsync", stream);
  if (size == 0)
    return errorInvalidValue;
  *address = gpu->getMemory().allocate(size);
  FakeCalls::live("allocations", 1);
  return success;
}
Result memFreeAsync(Address address, Stream) {
  ENTER("cuMemFreeAsync");
  FakeCalls::live("allocations", -1);
  return toResult(gpu->getMemory().release(address));
}
Result memcpyUpload(Address target, const void *source, size_t size, Stream stream) {
  ENTER_STREAM("cuMemcpyHtoDAsync_v2", stream);
  return toResult(gpu->getMemory().write(target, {static_cast<const std::byte *>(source), size}));
}
Result memcpyDownload(void *target, Address source, size_t size, Stream stream) {
  ENTER_STREAM("cuMemcpyDtoHAsync_v2", stream);
  return toResult(gpu->getMemory().read(source, {static_cast<std::byte *>(target), size}));
}
Result memcpyInside(Address target, Address source, size_t size, Stream stream) {
  ENTER_STREAM("cuMemcpyDtoDAsync_v2", stream);
  if (source < target + size && target < source + size)
    return errorInvalidValue; // not defined
  return toResult(gpu->getMemory().copy(target, source, size));
}
Result memcpy2D(const Copy2D *copy, Stream stream) {
  ENTER_STREAM("cuMemcpy2DAsync_v2", stream);
  if (copy->width > copy->sourcePitch || copy->width > copy->targetPitch)
    return errorInvalidValue;
  Result result = success;
  for (size_t row = 0; row < copy->height && result == success; ++row) {
    const size_t from = row * copy->sourcePitch, to = row * copy->targetPitch;
    if (copy->sourceType == memoryHost)
      result = memcpyUpload(copy->targetDevice + to, static_cast<const std::byte *>(copy->sourceHost) + from,
                            copy->width, stream);
    else if (copy->targetType == memoryHost)
      result = memcpyDownload(static_cast<std::byte *>(copy->targetHost) + to, copy->sourceDevice + from, copy->width,
                              stream);
    else
      result = memcpyInside(copy->targetDevice + to, copy->sourceDevice + from, copy->width, stream);
  }
  return result;
}
Result memset(Address target, unsigned char value, size_t size, Stream stream) {
  ENTER_STREAM("cuMemsetD8Async", stream);
  const std::vector<std::byte> bytes(size, std::byte(value));
  return toResult(gpu->getMemory().write(target, bytes));
}

Result launch(Function function, unsigned blocks, unsigned threads, unsigned sharedBytes, void **parameters,
              bool isCooperative) {
  if (blocks == 0 || threads == 0)
    return errorInvalidValue;
  emu::LaunchShape shape;
  shape.grid.x = blocks;
  shape.block.x = threads;
  shape.dynamicSharedBytes = sharedBytes;
  emu::LaunchOptions options;
  options.residentTogether = isCooperative;
  emu::LaunchReport report;
  const std::span<const void *const> arguments(parameters, function->kernel->parameters.size());
  const Status status = gpu->launch(*function->kernel, shape, arguments, options, report);
  if (!status.ok())
    lateError = errorIllegalAddress;
  return success;
}
Result launchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                    unsigned blockZ, unsigned sharedBytes, Stream stream, void **parameters, void **) {
  ENTER_STREAM("cuLaunchKernel", stream);
  if (gridY * gridZ * blockY * blockZ != 1)
    return errorInvalidValue;
  return launch(function, gridX, blockX, sharedBytes, parameters, false);
}
Result launchCooperative(Function function, unsigned gridX, unsigned, unsigned, unsigned blockX, unsigned, unsigned,
                         unsigned sharedBytes, Stream stream, void **parameters) {
  ENTER_STREAM("cuLaunchCooperativeKernel", stream);
  return launch(function, gridX, blockX, sharedBytes, parameters, true);
}

GraphNodeObject copyNode(const KernelNode &node) {
  GraphNodeObject copied = {node.function, node.gridX, node.blockX, node.sharedBytes, {}};
  for (size_t i = 0; i < node.function->kernel->parameters.size(); ++i)
    copied.parameters.push_back(*static_cast<const uint64_t *>(node.parameters[i]));
  return copied;
}
Result graphCreate(Graph *graph, unsigned) {
  ENTER("cuGraphCreate");
  *graph = new GraphObject;
  FakeCalls::live("graphs", 1);
  return success;
}
// A chain: each node depends on the one added before it.
Result graphAddKernel(GraphNode *added, Graph graph, const GraphNode *before, size_t count, const KernelNode *node) {
  ENTER("cuGraphAddKernelNode");
  if (count != (graph->nodes.empty() ? 0u : 1u) || (count && *before != graph->nodes.back().get()))
    return errorInvalidValue;
  graph->nodes.push_back(std::make_unique<GraphNodeObject>(copyNode(*node)));
  *added = graph->nodes.back().get();
  return success;
}
Result graphInstantiate(GraphExec *exec, Graph graph, unsigned long long) {
  ENTER("cuGraphInstantiateWithFlags");
  *exec = new GraphExecObject;
  for (const auto &node : graph->nodes) {
    (*exec)->positions[node.get()] = (*exec)->nodes.size();
    (*exec)->nodes.push_back(*node);
  }
  FakeCalls::live("graphs", 1);
  return success;
}
Result graphSetKernel(GraphExec exec, GraphNode node, const KernelNode *values) {
  ENTER("cuGraphExecKernelNodeSetParams");
  const auto found = exec->positions.find(node);
  if (found == exec->positions.end())
    return errorInvalidValue;
  exec->nodes[found->second] = copyNode(*values);
  return success;
}
Result graphLaunch(GraphExec exec, Stream stream) {
  ENTER_STREAM("cuGraphLaunch", stream);
  for (GraphNodeObject &node : exec->nodes) {
    std::vector<void *> parameters;
    for (uint64_t &parameter : node.parameters)
      parameters.push_back(&parameter);
    if (const Result result =
            launch(node.function, node.blocks, node.threads, node.sharedBytes, parameters.data(), false);
        result != success)
      return result;
  }
  return success;
}
Result graphExecDestroy(GraphExec exec) {
  delete exec;
  FakeCalls::live("graphs", -1);
  return success;
}
Result graphDestroy(Graph graph) {
  delete graph;
  FakeCalls::live("graphs", -1);
  return success;
}

void *findFake(const char *symbol) {
  if (fake->missing.contains(symbol))
    return nullptr;
#define FAKE_SYMBOL(member, name, isRequired, ...)                                                                     \
  if (std::strcmp(symbol, name) == 0)                                                                                  \
    return reinterpret_cast<void *>(static_cast<Result (*)(__VA_ARGS__)>(member));
  MOERT_CUDA_SYMBOLS(FAKE_SYMBOL)
#undef FAKE_SYMBOL
  return nullptr;
}

} // namespace

FakeCuda::FakeCuda() {
  fake = this;
  gpu.emplace();
  functions.clear();
  lateError = success;
  replaceDriver(findFake);
}

FakeCuda::~FakeCuda() {
  replaceDriver(nullptr);
  gpu.reset();
  fake = nullptr;
}

int FakeCuda::count(const std::string &symbol) const {
  const auto found = calls.find(symbol);
  return found == calls.end() ? 0 : found->second;
}

std::vector<std::string> FakeCuda::getLeaks() const {
  std::vector<std::string> leaks;
  for (const auto &[kind, number] : live)
    if (number)
      leaks.push_back(std::to_string(number) + " " + kind);
  return leaks;
}

} // namespace moert::test
