// Launches on the emulated GPU. Faults name the node and the kernel.
#include "devices/emu/emu_device.h"

#include "devices/clock.h"
#include "threads/thread_count.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace moert {

constexpr EmuDevice::Machine EmuDevice::machines[] = {
    {"sm_80", 80, 163 << 10},
};

static uint64_t toAddress(const std::byte *data) { return reinterpret_cast<uintptr_t>(data); }
static std::byte *toData(uint64_t address) { return reinterpret_cast<std::byte *>(uintptr_t(address)); }

std::byte *EmuMemory::allocate(uint64_t size) {
  try {
    return toData(memory.allocate(size, tag));
  } catch (const std::exception &) { // out of memory, or of the limits of a vector
    return nullptr;
  }
}

void EmuMemory::release(std::byte *address) {
  // An address that is not an allocation would be an error of the runtime, without consequence.
  [[maybe_unused]] const Status status = memory.release(toAddress(address));
}

EmuDevice::EmuDevice(std::shared_ptr<const Program> sharedProgram, const moert_session_options_t &options)
    : Device(buffers, states, /*addressesHost=*/false), program(std::move(sharedProgram)),
      buffers(emulator.getMemory(), emu::MemoryTag::Activations), states(emulator.getMemory(), emu::MemoryTag::States),
      workspaces(emulator.getMemory(), emu::MemoryTag::Workspace) {
  launchOptions.threads = chooseThreadCount(options.thread_count);
  launchOptions.parallelFor = options.parallel_for;
  launchOptions.parallelForContext = options.parallel_for_context;
  launchOptions.count = options.trace != nullptr;
}

// "seed=7,limit=100000".
static Status readOptions(std::string_view text, emu::LaunchOptions &options) {
  struct Option {
    std::string_view key;
    uint64_t &value;
  };
  const Option known[] = {{"seed=", options.seed}, {"limit=", options.instructionLimit}};
  while (!text.empty()) {
    const std::string_view option = text.substr(0, text.find(','));
    const auto *found =
        std::find_if(std::begin(known), std::end(known), [&](const Option &o) { return option.starts_with(o.key); });
    bool isRead = false;
    if (found != std::end(known)) {
      const char *end = option.data() + option.size();
      const auto parsed = std::from_chars(option.data() + found->key.size(), end, found->value);
      isRead = parsed.ec == std::errc() && parsed.ptr == end;
    }
    if (!isRead)
      return failure(MOERT_INVALID_ARGUMENT, "emulated GPU: '", option, "', expected seed=NUMBER or limit=NUMBER");
    text.remove_prefix(std::min(option.size() + 1, text.size()));
  }
  options.copyOrder = options.seed ? emu::CopyOrder::Random : emu::CopyOrder::Latest;
  return Status::success();
}

Status EmuDevice::create(std::string_view argument, std::shared_ptr<const Program> program,
                         const moert_session_options_t &options, std::unique_ptr<Device> &device) {
  const size_t comma = std::min(argument.find(','), argument.size());
  const std::string_view name = argument.substr(0, comma);
  const auto *machine =
      std::find_if(std::begin(machines), std::end(machines), [&](const Machine &known) { return known.name == name; });
  if (machine == std::end(machines))
    return failure(MOERT_INVALID_ARGUMENT, "unknown emulated GPU '", name, "', expected sm_80");
  auto created = std::make_unique<EmuDevice>(std::move(program), options);
  MOERT_TRY(readOptions(argument.substr(std::min(comma + 1, argument.size())), created->launchOptions));
  MOERT_TRY(created->load(*machine));
  device = std::move(created);
  return Status::success();
}

Status EmuDevice::load(const Machine &machine) {
  const Artifact &artifact = program->getArtifact();
  MOERT_TRY(chooseGpuVariant(artifact, machine.computeCapability, variant));
  if (Status loaded = emu::Module::load(variant->ptx, module, &emulator.getMemory()); !loaded.ok())
    return failure(loaded.getCode(), "PTX of ", variant->name, ": ", loaded.getMessage());
  for (size_t i = 0; i < artifact.kernels.size(); ++i)
    MOERT_TRY(loadKernel(variant->entries[i], artifact.kernels[i], machine));
  mapWeights();
  flags = emulator.getMemory().allocate(MOERT_GPU_FLAG_COUNT * sizeof(uint32_t));
  status = emulator.getMemory().allocate(sizeof(uint32_t));
  return Status::success();
}

Status EmuDevice::loadKernel(const GpuEntry &entry, const KernelDeclaration &declaration, const Machine &machine) {
  const emu::Kernel *kernel = module.findKernel(entry.name);
  if (!kernel)
    return failure(MOERT_INVALID_FILE, "PTX of ", variant->name, ": no entry '", entry.name, "' for kernel '",
                   declaration.name, "'");
  const uint64_t expected = uint64_t(declaration.bufferCount) + declaration.scalarCount + MOERT_GPU_EXTRA_PARAMETERS;
  const bool areWords = std::all_of(kernel->parameters.begin(), kernel->parameters.end(),
                                    [](const emu::KernelParameter &parameter) { return parameter.bytes == 8; });
  if (kernel->parameters.size() != expected || !areWords)
    return failure(MOERT_INVALID_FILE, "PTX of ", variant->name, ": entry '", entry.name, "' has ",
                   kernel->parameters.size(), areWords ? "" : " (not all of 64 bits)", " parameters, expected ",
                   expected);
  if (kernel->sharedBytes + entry.sharedBytes > machine.sharedBytes)
    return failure(MOERT_UNSUPPORTED, "entry '", entry.name, "' needs ", kernel->sharedBytes + entry.sharedBytes,
                   " bytes of shared memory, ", machine.name, " has ", machine.sharedBytes);
  kernels.push_back(kernel);
  return Status::success();
}

// Mapped bytes of the host are not copied; a kernel that writes to one or reads beyond one is stopped.
void EmuDevice::mapWeights() {
  const Artifact &artifact = program->getArtifact();
  for (uint32_t i = 0; i < artifact.weights.size(); ++i)
    weights.push_back(toData(emulator.getMemory().map({program->getWeightData(i), artifact.weights[i].size})));
}

Status EmuDevice::copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) {
  emu::GlobalMemory &global = emulator.getMemory();
  for (uint64_t row = 0; row < shape.rows && shape.bytes; ++row) {
    std::byte *to = target + row * shape.targetStride;
    const std::byte *from = source + row * shape.sourceStride;
    if (kind == CopyKind::Upload)
      MOERT_TRY(global.write(toAddress(to), {from, shape.bytes}));
    else if (kind == CopyKind::Download)
      MOERT_TRY(global.read(toAddress(from), {to, shape.bytes}));
    else
      MOERT_TRY(global.copy(toAddress(to), toAddress(from), shape.bytes));
  }
  return Status::success();
}

Status EmuDevice::fillZero(std::byte *target, uint64_t bytes) {
  static constexpr std::byte zeros[4096] = {};
  for (uint64_t done = 0; done < bytes; done += sizeof(zeros))
    MOERT_TRY(emulator.getMemory().write(toAddress(target) + done,
                                         std::span(zeros).first(std::min<uint64_t>(sizeof(zeros), bytes - done))));
  return Status::success();
}

Status EmuDevice::beginRun() {
  MOERT_TRY(fillZero(toData(flags), MOERT_GPU_FLAG_COUNT * sizeof(uint32_t)));
  return fillZero(toData(status), sizeof(uint32_t));
}

Status EmuDevice::launch(const Launch &launch, LaunchTrace *trace) {
  uint64_t bytes = 0;
  MOERT_TRY(getWorkspaceBytes(launch, bytes));
  // Of exactly the size asked for, so that nothing beyond it goes unnoticed.
  std::byte *workspace = workspaces.allocate(static_cast<uint64_t>(launch.workspaceBytes));
  if (!workspace)
    return failure(MOERT_OUT_OF_MEMORY, "node '", launch.node, "': cannot allocate ", bytes, " bytes of workspace");
  ++workspaceRequests;
  workspaceBytes = std::max(workspaceBytes, bytes);
  report = {};
  const uint64_t begin = nowNanoseconds();
  Status result = run(launch, toAddress(workspace));
  workspaces.release(workspace);
  if (trace) {
    trace->beginNs = begin;
    trace->endNs = nowNanoseconds();
    emu::listCounters(report, counters);
    trace->counters = counters;
  }
  if (result.ok())
    return Status::success();
  const moert_status_t code = result.getCode() == MOERT_OUT_OF_MEMORY ? MOERT_OUT_OF_MEMORY : MOERT_RUN_FAILED;
  // The emulator names the entry, which says no more than the kernel.
  std::string_view message = result.getMessage();
  const std::string entry = "kernel '" + variant->entries[launch.kernel].name + "'";
  if (message.starts_with(entry))
    message.remove_prefix(std::min(entry.size() + 2, message.size()));
  return failure(code, describeLaunch(launch, program->getArtifact().kernels[launch.kernel].name), ": ", message);
}

Status EmuDevice::run(const Launch &launch, uint64_t workspace) {
  if (launch.blocks > std::numeric_limits<int32_t>::max())
    return failure(MOERT_RUN_FAILED, launch.blocks, " blocks, expected at most ", std::numeric_limits<int32_t>::max());
  collectParameters(launch, {workspace, flags, status}, parameters);
  arguments.clear();
  for (const uint64_t &parameter : parameters)
    arguments.push_back(&parameter);
  const GpuEntry &entry = variant->entries[launch.kernel];
  launchOptions.residentTogether = entry.isCooperative;
  emu::LaunchShape shape;
  shape.grid.x = static_cast<uint32_t>(launch.blocks);
  shape.block.x = entry.threads;
  shape.dynamicSharedBytes = entry.sharedBytes;
  MOERT_TRY(emulator.launch(*kernels[launch.kernel], shape, arguments, launchOptions, report));
  return checkAfterwards();
}

Status EmuDevice::checkAfterwards() {
  int32_t result = MOERT_KERNEL_OK;
  MOERT_TRY(emulator.getMemory().read(status, std::as_writable_bytes(std::span(&result, 1))));
  if (result != MOERT_KERNEL_OK)
    return failure(MOERT_RUN_FAILED, describeKernelResult(result));
  uint32_t words[MOERT_GPU_FLAG_COUNT];
  MOERT_TRY(emulator.getMemory().read(flags, std::as_writable_bytes(std::span(words))));
  const auto *left = std::find_if(std::begin(words), std::end(words), [](uint32_t word) { return word != 0; });
  if (left != std::end(words))
    return failure(MOERT_RUN_FAILED, "the kernel left flag ", left - words, " at ", *left, ", expected 0");
  return Status::success();
}

} // namespace moert
