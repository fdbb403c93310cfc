//===- Compile.h - compile(): the one entry of the compiler -----------------===//
//
// What tools and bindings call. It owns the MLIR context, runs the stages, verifies the contract after each, and writes
// the output to a temporary file that replaces the target only when everything succeeded.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_DRIVER_COMPILE_H
#define MOEC_DRIVER_COMPILE_H

#include "moec/Artifact/SigningKey.h"
#include "moec/Driver/Stages.h"

#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace llvm {
class raw_ostream;
} // namespace llvm

namespace moec {

/// How text becomes token ids; part of the file so that a generator needs no further option.
struct TokenizerOptions {
  /// Whether ids are the bytes of the text; without it the file holds no tokenizer.
  bool bytes = false;
  /// The id that opens every text.
  std::optional<int64_t> bos;
  /// Ids that end a text.
  llvm::SmallVector<int64_t> stop;
};

/// Whether what recognisers made is run beside the plain operators that it replaced.
enum class RaisingCheck {
  Off,
  /// What differs stays plain operators, with a warning.
  Keep,
  /// What differs is an error.
  Strict,
};

struct CompileOptions {
  /// An ONNX model, or MLIR (text or bytecode, recognised by `.mlir` and `.mlirbc`) that some stage has printed.
  std::string input;
  /// The file to write; `-` is standard output and takes text only.
  std::string output;
  /// The last stage to run. Before `emit` the output is MLIR text.
  Stage lastStage = Stage::Emit;
  /// Code variants for processors, in any order; `native` is the most capable one this machine can run. May be empty
  /// if there is a GPU.
  llvm::SmallVector<std::string> cpus = {"x86-64-v3", "x86-64-v4"};
  /// The GPU to compile for, "sm_80"; empty for none.
  std::string gpu;
  /// Whether it multiplies f32 by weights as f32 alone, never as parts in tf32.
  bool plainF32 = false;
  /// Names of optional passes to leave out.
  llvm::SmallVector<std::string> disabledPasses;
  TokenizerOptions tokenizer;
  /// What signs the file.
  std::optional<SigningKey> signingKey;
  RaisingCheck check = RaisingCheck::Off;
  /// Values of an ONNX model whose name this regular expression matches become outputs behind the model's own, if they
  /// are there after raising; empty for none.
  std::string debugOutputs;
  /// Print what recognisers report about structures they nearly matched.
  bool remarks = false;
  /// Print how long each pass took.
  bool timing = false;
  /// Print a line as each stage begins.
  bool progress = false;
};

enum class CompileStatus {
  Success,
  /// The input or an option was refused; a message says why.
  Refused,
  /// The compiler broke one of its own contracts.
  InternalError,
};

/// Compiles as `options` say. Messages, progress and the closing summary go to `messages`. Unless it returns Success
/// the output file is as it was before the call.
CompileStatus compile(const CompileOptions &options, llvm::raw_ostream &messages);

} // namespace moec

#endif // MOEC_DRIVER_COMPILE_H
