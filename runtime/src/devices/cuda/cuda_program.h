// A program on one GPU: its module loaded, its weights uploaded. Shared by all sessions there.
#pragma once
#include "devices/cuda/driver.h"
#include "session/program.h"

namespace moert::cuda {

// Makes a context the calling thread's until the end of the scope.
class Scope {
public:
  Scope(const Driver &driver, Context context) : driver(driver), result(driver.contextPush(context)) {}
  Scope(const Scope &) = delete;
  ~Scope() {
    Context popped;
    if (result == success)
      driver.contextPop(&popped);
  }
  Status check() const { return driver.check(result, "the CUDA context cannot be used"); }

private:
  const Driver &driver;
  const Result result;
};

class CudaProgram : public DeviceProgram {
public:
  CudaProgram(const Driver &driver, const Program &program) : driver(driver), program(program) {}
  ~CudaProgram() override;

  Status load(uint32_t ordinal);

  Context getContext() const { return context; }
  Function getFunction(uint32_t kernel) const { return functions[kernel]; }
  const GpuEntry &getEntry(uint32_t kernel) const { return variant->entries[kernel]; }
  std::byte *getWeight(uint32_t weight) const {
    return reinterpret_cast<std::byte *>(uintptr_t(weights + program.getArtifact().weights[weight].offset));
  }
  bool hasPools() const { return usesPools; }

  const Driver &driver;

private:
  Status openDevice(uint32_t ordinal);
  Status getAttribute(int attribute, int &value) const;
  Status loadModule();
  Status loadFunctions();
  Status uploadWeights();

  const Program &program;
  DeviceId device = -1;
  Context context = nullptr;
  uint32_t computeCapability = 0, sharedBytes = 0;
  bool usesPools = false;
  const GpuVariant *variant = nullptr;
  Module module = nullptr;
  std::vector<Function> functions;
  Address weights = 0;
};

} // namespace moert::cuda
