// The emulated GPU as a device. Every buffer and every workspace is an allocation of its own, weights can only be read,
// and what a launch must leave behind is checked after each one.
#pragma once
#include "devices/emu/counter_list.h"
#include "devices/emu/emulator.h"
#include "devices/gpu_choice.h"
#include "session/program.h"

namespace moert {

class EmuMemory : public Memory {
public:
  // `tag` says under what the traffic of kernels is counted.
  EmuMemory(emu::GlobalMemory &memory, emu::MemoryTag tag)
      : Memory(MOERT_GPU_BUFFER_ALIGNMENT, /*separatesBuffers=*/true), memory(memory), tag(tag) {}

  std::byte *allocate(uint64_t size) override;
  void release(std::byte *address) override;

private:
  emu::GlobalMemory &memory;
  const emu::MemoryTag tag;
};

class EmuDevice : public Device {
public:
  EmuDevice(std::shared_ptr<const Program> program, const moert_session_options_t &options);

  // `argument` names the machine, and perhaps the seed of the order of warps and after how many instructions a block
  // counts as endless: "sm_80", "sm_80,seed=7,limit=1000000".
  static Status create(std::string_view argument, std::shared_ptr<const Program> program,
                       const moert_session_options_t &options, std::unique_ptr<Device> &device);

  std::byte *getWeight(uint32_t weight) const override { return weights[weight]; }
  Status copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) override;
  Status fillZero(std::byte *target, uint64_t bytes) override;
  int64_t getLaunchSize(const Launch &launch) const override { return launch.blocks; }
  Status getLaunchMemory(const Launch &launch, uint64_t &bytes) const override {
    return getWorkspaceBytes(launch, bytes);
  }
  Status launch(const Launch &launch, LaunchTrace *trace) override;
  Status beginRun() override;
  uint32_t getThreadCount() const override { return launchOptions.threads; }
  uint64_t getLaunchBytes() const override { return workspaceBytes; }
  uint64_t getLaunchRequests() const override { return workspaceRequests; }

private:
  struct Machine {
    const char *name;
    uint32_t computeCapability, sharedBytes;
  };
  static const Machine machines[];

  Status load(const Machine &machine);
  Status loadKernel(const GpuEntry &entry, const KernelDeclaration &declaration, const Machine &machine);
  Status run(const Launch &launch, uint64_t workspace);
  Status checkAfterwards();
  void mapWeights();

  std::shared_ptr<const Program> program;
  emu::Emulator emulator;
  EmuMemory buffers, states, workspaces;
  emu::Module module;
  const GpuVariant *variant = nullptr;
  std::vector<const emu::Kernel *> kernels;
  std::vector<std::byte *> weights;
  uint64_t flags = 0, status = 0; // addresses
  emu::LaunchOptions launchOptions;

  std::vector<uint64_t> parameters;
  std::vector<const void *> arguments;
  emu::LaunchReport report;
  std::vector<moert_trace_counter_t> counters;
  uint64_t workspaceBytes = 0, workspaceRequests = 0;
};

} // namespace moert
