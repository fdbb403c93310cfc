//===- Stages.h - the stages of the compiler and their contracts ------------===//
//
// ARCHITECTURE.md describes the stages; their names are the values of `moec --compile-to` and the folders of test/.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_DRIVER_STAGES_H
#define MOEC_DRIVER_STAGES_H

#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <optional>

namespace moec {

enum class Stage { Import, Raise, LowerOnnx, Optimize, Schedule, Lower, Emit };

inline constexpr std::array<Stage, 7> allStages = {Stage::Import,   Stage::Raise, Stage::LowerOnnx, Stage::Optimize,
                                                   Stage::Schedule, Stage::Lower, Stage::Emit};

llvm::StringRef getStageName(Stage stage);
std::optional<Stage> parseStage(llvm::StringRef name);

/// Checks what ARCHITECTURE.md says holds after `stage`; emits an error at the first op that breaks it. What `emit`
/// promises is a property of the file, not of the module: nothing is checked for it here.
llvm::LogicalResult verifyStage(mlir::ModuleOp module, Stage stage);

} // namespace moec

#endif // MOEC_DRIVER_STAGES_H
