//===- Emit.h - the stage emit ----------------------------------------------===//
#ifndef MOEC_LIB_DRIVER_EMIT_H
#define MOEC_LIB_DRIVER_EMIT_H

#include "moec/Driver/Compile.h"
#include "moec/Target/Cpu/CpuTarget.h"

namespace moec {

class Summary;

/// Compiles the variants' modules of a module after stage `lower` to code and writes the file. What the code for GPUs
/// needs goes to `summary`.
llvm::LogicalResult emitArtifact(mlir::ModuleOp module, const CompileOptions &options, Summary &summary,
                                 llvm::raw_pwrite_stream &file, CodeEffort effort = CodeEffort::Full);

} // namespace moec

#endif // MOEC_LIB_DRIVER_EMIT_H
