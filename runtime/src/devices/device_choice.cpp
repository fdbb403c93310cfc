// One line per kind of device.
#include "devices/device_choice.h"

#include "devices/cpu/cpu_device.h"
#include "devices/cuda/cuda_device.h"
#ifdef MOERT_EMULATOR
#include "devices/emu/emu_device.h"
#endif

namespace moert {

std::string describeKernelResult(int32_t result) {
  switch (result) {
  case MOERT_KERNEL_INDEX_OUT_OF_RANGE:
    return "an index lies outside the tensor it indexes";
  case MOERT_KERNEL_BAD_VALUE:
    return "a value for which the operator is undefined";
  default:
    return "kernel result " + std::to_string(result);
  }
}

using Create = Status (*)(std::string_view argument, std::shared_ptr<const Program> program,
                          const moert_session_options_t &options, std::unique_ptr<Device> &device);

// `argument` is what follows the kind and a colon.
static Status createCpu(std::string_view argument, std::shared_ptr<const Program> program,
                        const moert_session_options_t &options, std::unique_ptr<Device> &device) {
  if (!argument.empty())
    return failure(MOERT_INVALID_ARGUMENT, "device 'cpu:", argument, "': expected nothing behind 'cpu'");
  return CpuDevice::create(std::move(program), options, device);
}

struct DeviceKind {
  std::string_view name;
  Create create;
};

static constexpr DeviceKind deviceKinds[] = {
    {"cpu", createCpu},
    {"cuda", cuda::CudaDevice::create},
#ifdef MOERT_EMULATOR
    {"emu", EmuDevice::create},
#endif
};

Status createDevice(const char *name, std::shared_ptr<const Program> program, const moert_session_options_t &options,
                    std::unique_ptr<Device> &device) {
  const std::string_view whole = name ? name : "cpu";
  const size_t colon = std::min(whole.find(':'), whole.size());
  for (const DeviceKind &kind : deviceKinds)
    if (kind.name == whole.substr(0, colon))
      return kind.create(whole.substr(std::min(colon + 1, whole.size())), std::move(program), options, device);
  std::string known;
  for (const DeviceKind &kind : deviceKinds)
    (known += known.empty() ? "" : ", ") += kind.name;
  return failure(MOERT_INVALID_ARGUMENT, "unknown device '", whole, "', this build has: ", known);
}

} // namespace moert
