// Opening a program.
#include "session/program.h"

namespace moert {

Status Program::open(const FileSource &source, const moert_program_options_t &options,
                     std::shared_ptr<const Program> &program) {
  auto opened = std::make_shared<Program>();
  MOERT_TRY(readArtifact(source, opened->artifact));
  MOERT_TRY(chooseVariant(opened->artifact, options.variant, opened->variant));
  MOERT_TRY(CodeImage::load(*opened->variant, opened->code));
  const moert_section_t &section = opened->artifact.weightData();
  MOERT_TRY(source.map(section.offset, section.size, options.load == MOERT_LOAD_READ, opened->weightData));
  if (options.verify)
    MOERT_TRY(opened->verify());
  program = std::move(opened);
  return Status::success();
}

std::byte *Program::getWeightData(uint32_t weight) const {
  // A section without bytes is not mapped; weights without elements then need some address.
  alignas(MOERT_TENSOR_ALIGNMENT) static std::byte nothing[MOERT_TENSOR_ALIGNMENT];
  return weightData.data() ? weightData.data() + artifact.weights[weight].offset : nothing;
}

Status Program::verify() const { return verifyWeights(artifact, {weightData.data(), weightData.size()}); }

} // namespace moert
