// A GPU through the CUDA driver. Everything a session does happens on one stream; launches are handed over together.
#pragma once
#include "devices/cuda/cuda_program.h"
#include "devices/cuda/launch_queue.h"
#include "devices/device.h"

#include <optional>

namespace moert::cuda {

class CudaMemory : public Memory {
public:
  CudaMemory() : Memory(MOERT_GPU_BUFFER_ALIGNMENT, /*separatesBuffers=*/false) {}

  void open(const CudaProgram &onDevice, Stream itsStream) {
    program = &onDevice;
    stream = itsStream;
  }
  std::byte *allocate(uint64_t size) override;
  void release(std::byte *memory) override;

private:
  const CudaProgram *program = nullptr;
  Stream stream = nullptr;
};

class CudaDevice : public Device {
public:
  CudaDevice(std::shared_ptr<const Program> program, std::shared_ptr<CudaProgram> onDevice);
  ~CudaDevice() override;

  // `argument` is the number of the GPU; 0 if empty.
  static Status create(std::string_view argument, std::shared_ptr<const Program> program,
                       const moert_session_options_t &options, std::unique_ptr<Device> &device);

  std::byte *getWeight(uint32_t weight) const override { return onDevice->getWeight(weight); }
  Status copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) override;
  Status fillZero(std::byte *target, uint64_t bytes) override;
  int64_t getLaunchSize(const Launch &launch) const override { return launch.blocks; }
  Status getLaunchMemory(const Launch &launch, uint64_t &bytes) const override;
  Status launch(const Launch &launch, LaunchTrace *trace) override;
  Status beginRun() override;
  Status endRun() override;
  uint64_t getLaunchBytes() const override { return workspaceBytes; }
  uint64_t getLaunchRequests() const override { return workspaceRequests; }

private:
  struct Launched {
    uint32_t kernel;
    std::string_view node; // of the program, which outlives the run
  };

  Status open();
  Status copyPlain(CopyKind kind, std::byte *target, const std::byte *source, uint64_t bytes);
  Status copyRows(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape);
  Status copyOverlapping(std::byte *target, const std::byte *source, const CopyShape &shape);
  Status growWorkspace(const Launch &launch);
  Status timeLaunch(LaunchTrace &trace);
  // Hands over what waits.
  Status flush();
  // Hands over what waits and waits for all of it; if it succeeds, no kernel has reported a problem.
  Status finish();
  Status checkResults();
  Status synchronize();
  // Adds the last launch to a failure.
  Status locate(Status status) const;

  std::shared_ptr<const Program> program;
  std::shared_ptr<CudaProgram> onDevice;
  const Driver &driver;
  CudaMemory cudaMemory;
  Stream stream = nullptr;
  Event begin = nullptr, end = nullptr;
  std::optional<LaunchQueue> queue;
  std::byte *workspace = nullptr, *flags = nullptr, *results = nullptr; // results: a word for each launch
  uint64_t workspaceBytes = 0, workspaceRequests = 0;

  std::vector<Launched> launched; // since the words were zeroed
  std::vector<int32_t> resultWords;
};

} // namespace moert::cuda
