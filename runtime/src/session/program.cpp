// Opening a program.
#include "session/program.h"

#include <algorithm>

namespace moert {

Status Program::open(const FileSource &source, const moert_program_options_t &options,
                     std::shared_ptr<const Program> &program) {
  auto opened = std::make_shared<Program>();
  MOERT_TRY(readArtifact(source, options.require_signature, opened->artifact));
  // A file with code for GPUs may be of use on this machine all the same.
  opened->whyNoCpuCode = chooseVariant(opened->artifact, options.variant, opened->variant);
  if (!opened->variant && (options.variant || opened->artifact.gpuVariants.empty()))
    return opened->whyNoCpuCode;
  if (opened->variant)
    MOERT_TRY(CodeImage::load(*opened->variant, opened->code));
  const moert_section_t &section = opened->artifact.weightData();
  MOERT_TRY(source.map(section.offset, section.size, options.load == MOERT_LOAD_READ, opened->weightData));
  if (options.verify)
    MOERT_TRY(opened->verify());
  program = std::move(opened);
  return Status::success();
}

const std::string &Program::getVariantName() const {
  return variant ? variant->name : artifact.gpuVariants.front().name;
}

// It ends where the next one starts.
std::span<const std::byte> Program::getKernelCode(uint32_t index) const {
  if (!variant)
    return {};
  const uint64_t begin = variant->entries[index];
  uint64_t end = variant->image.size();
  for (uint64_t entry : variant->entries)
    if (entry > begin)
      end = std::min(end, entry);
  return {reinterpret_cast<const std::byte *>(getKernel(index)), end - begin};
}

std::byte *Program::getWeightData(uint32_t weight) const {
  // A section without bytes is not mapped; weights without elements then need some address.
  alignas(MOERT_TENSOR_ALIGNMENT) static std::byte nothing[MOERT_TENSOR_ALIGNMENT];
  return weightData.data() ? weightData.data() + artifact.weights[weight].offset : nothing;
}

Status Program::verify() const { return verifyWeights(artifact, getWeightSection()); }

Status Program::shareOnDevice(const std::string &device, const MakeDeviceProgram &make,
                              std::shared_ptr<DeviceProgram> &onDevice) const {
  const std::lock_guard lock(deviceMutex);
  for (auto &[name, known] : onDevices)
    if (name == device && (onDevice = known.lock()))
      return Status::success();
  std::erase_if(onDevices, [](const auto &entry) { return entry.second.expired(); });
  MOERT_TRY(make(onDevice));
  onDevices.emplace_back(device, onDevice);
  return Status::success();
}

} // namespace moert
