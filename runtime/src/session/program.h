// An opened .moe file: tables, weights and executable kernels. Immutable, shared by sessions.
#pragma once
#include "artifact/artifact.h"
#include "devices/cpu/code_image.h"

#include <memory>

namespace moert {

class Program {
public:
  static Status open(const FileSource &source, const moert_program_options_t &options,
                     std::shared_ptr<const Program> &program);

  const Artifact &getArtifact() const { return artifact; }
  const CodeVariant &getVariant() const { return *variant; }
  moert_kernel_fn_t getKernel(uint32_t index) const { return code.getKernel(index); }
  // Never null, aligned to MOERT_TENSOR_ALIGNMENT.
  std::byte *getWeightData(uint32_t weight) const;
  Status verify() const;

private:
  Artifact artifact;
  Mapping weightData;
  const CodeVariant *variant = nullptr;
  CodeImage code;
};

} // namespace moert
