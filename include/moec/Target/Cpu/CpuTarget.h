//===- CpuTarget.h - code variants and code images for CPUs -----------------===//
#ifndef MOEC_TARGET_CPU_CPUTARGET_H
#define MOEC_TARGET_CPU_CPUTARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

namespace mlir {
class OpPassManager;
}

namespace moec {

/// Facts about an instruction set that code is compiled for.
struct CpuVariant {
  llvm::StringRef name; // as `--cpu` and the file call it
  llvm::StringRef triple;
  llvm::StringRef cpu; // LLVM's name
  int64_t vectorLanes; // f32 values in a vector register
  int64_t vectorRegisters;
  bool hasFma;             // instructions for fused multiply-add,
  bool hasHalfConversions; // and for conversions of f16
  uint32_t architecture;   // MOERT_ARCH_*
  uint64_t features;       // MOERT_FEATURE_* bits the code needs
};

/// All variants, the most capable first.
llvm::ArrayRef<CpuVariant> cpuVariants();

/// The variant of that name, or null.
const CpuVariant *findCpuVariant(llvm::StringRef name);

/// The most capable variant that this machine can run, or null.
const CpuVariant *nativeCpuVariant();

/// Lowers a variant's module of kernels (moe-emit-kernels) to the LLVM dialect, with the entry points of
/// moert_kernel_abi.h. Anchored on builtin.module.
void buildCpuLoweringPipeline(mlir::OpPassManager &pm);

/// Position-independent code without relocations or imports.
struct CodeImage {
  llvm::SmallVector<char, 0> bytes;
  llvm::StringMap<uint64_t> entries; // kernel name -> offset
};

enum class CodeEffort {
  Full,
  /// For code that runs once: the least time to compile.
  Least,
};

/// Compiles modules in the LLVM dialect, one per variant, in parallel. Diagnostics go to the modules' context.
llvm::FailureOr<llvm::SmallVector<CodeImage>> compileImages(llvm::ArrayRef<mlir::ModuleOp> modules,
                                                            llvm::ArrayRef<const CpuVariant *> variants,
                                                            CodeEffort effort = CodeEffort::Full);

/// Links one relocatable object file into a code image; `error` says why not.
llvm::FailureOr<CodeImage> linkImage(llvm::StringRef object, std::string &error);

} // namespace moec

#endif // MOEC_TARGET_CPU_CPUTARGET_H
