// The kernels of one code variant, mapped for execution.
#pragma once
#include "artifact/artifact.h"
#include "moert/moert_kernel_abi.h"

#include <vector>

namespace moert {

class CodeImage {
public:
  // Copies the image to memory that is then executable and no longer writable.
  static Status load(const CodeVariant &variant, CodeImage &image);

  moert_kernel_fn_t getKernel(uint32_t index) const { return kernels[index]; }

private:
  Mapping memory;
  std::vector<moert_kernel_fn_t> kernels;
};

// The variant named `wanted`, or the first one this processor can run if `wanted` is null.
Status chooseVariant(const Artifact &artifact, const char *wanted, const CodeVariant *&variant);

} // namespace moert
