// An opened .moe file: tables, weights and executable kernels. Immutable, shared by sessions.
#pragma once
#include "artifact/artifact.h"
#include "devices/cpu/code_image.h"

#include <functional>
#include <memory>
#include <mutex>

namespace moert {

// What one device has of a program: code, weights in its memory.
class DeviceProgram {
public:
  virtual ~DeviceProgram() = default;
};

class Program {
public:
  static Status open(const FileSource &source, const moert_program_options_t &options,
                     std::shared_ptr<const Program> &program);

  const Artifact &getArtifact() const { return artifact; }
  // Name of the code variant for this processor, else of the first for GPUs.
  const std::string &getVariantName() const;
  // Whether there is code for this processor; only then it may be asked for kernels.
  Status checkCpuCode() const { return variant ? Status::success() : whyNoCpuCode; }
  moert_kernel_fn_t getKernel(uint32_t index) const { return code.getKernel(index); }
  // The machine code of a kernel for this processor; empty without any.
  std::span<const std::byte> getKernelCode(uint32_t index) const;
  // Never null, aligned to MOERT_TENSOR_ALIGNMENT.
  std::byte *getWeightData(uint32_t weight) const;
  std::span<const std::byte> getWeightSection() const { return {weightData.data(), weightData.size()}; }
  Status verify() const;

  // What `device` has of this program: made by the first session that asks, and kept while one uses it.
  using MakeDeviceProgram = std::function<Status(std::shared_ptr<DeviceProgram> &)>;
  Status shareOnDevice(const std::string &device, const MakeDeviceProgram &make,
                       std::shared_ptr<DeviceProgram> &onDevice) const;

private:
  Artifact artifact;
  Mapping weightData;
  const CodeVariant *variant = nullptr;
  Status whyNoCpuCode = Status::success();
  CodeImage code;

  mutable std::mutex deviceMutex;
  mutable std::vector<std::pair<std::string, std::weak_ptr<DeviceProgram>>> onDevices;
};

} // namespace moert
