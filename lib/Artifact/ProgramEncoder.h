//===- ProgramEncoder.h - a step program as words ---------------------------===//
#ifndef MOEC_LIB_ARTIFACT_PROGRAMENCODER_H
#define MOEC_LIB_ARTIFACT_PROGRAMENCODER_H

#include "Tables.h"
#include "moec/Dialect/Step/Step.h"

namespace moec::artifact {

/// The words of a program and the sizes of what they refer to.
struct EncodedProgram {
  moert_step_program_t header = {};
  llvm::SmallVector<uint32_t> words;
};

/// Encodes `program`; kernels are numbered by `kernels`.
llvm::FailureOr<EncodedProgram> encodeProgram(step::ProgramOp program, const llvm::StringMap<uint32_t> &kernels,
                                              Pools &pools);

} // namespace moec::artifact

#endif // MOEC_LIB_ARTIFACT_PROGRAMENCODER_H
